//! Where the store's Redis is: one server, or several nodes of a cluster.

use redis::Client;

use super::super::StoreError;
use super::connection::of_no_use;

/// A server, or a cluster by some of its nodes.
pub(super) enum Address {
    /// One server.
    One(Client),
    /// A cluster.
    Cluster {
        /// The URLs of those nodes, each of which knows all others.
        nodes: Vec<String>,
        /// The same nodes, for connections that listen.
        clients: Vec<Client>,
    },
}

impl Address {
    /// From `redis://`, `rediss://` or `redis+unix://` for a server, and
    /// `redis+cluster://` or `rediss+cluster://` with one node or several,
    /// parted by commas, for a cluster.
    ///
    /// # Errors
    /// [`StoreError::Config`] for anything else; it does not repeat the URL.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let Some((scheme, rest)) = url.split_once("+cluster://") else {
            return Ok(Self::One(Client::open(url).map_err(|error| of_no_use(&error))?));
        };
        let nodes = nodes(scheme, rest);
        let clients = nodes.iter().map(|url| Client::open(url.as_str()));
        let clients = clients.collect::<Result<Vec<_>, _>>().map_err(|error| of_no_use(&error))?;
        Ok(Self::Cluster { nodes, clients })
    }

    /// Who may be listened to. Each node of a cluster tells what all publish.
    pub(super) fn clients(&self) -> Vec<Client> {
        match self {
            Self::One(client) => vec![client.clone()],
            Self::Cluster { clients, .. } => clients.clone(),
        }
    }
}

/// `user:password@a:1,b:2/?x` as one URL for each node, user and all.
fn nodes(scheme: &str, rest: &str) -> Vec<String> {
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
    hosts.map(|host| format!("{scheme}://{user}{host}{tail}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_by_one_node_or_several() {
        assert_eq!(nodes("redis", "a:7000"), ["redis://a:7000"]);
        assert_eq!(
            nodes("rediss", "shop:p,a@ss@a:1, b:2,/?protocol=resp3"),
            [
                "rediss://shop:p,a@ss@a:1/?protocol=resp3",
                "rediss://shop:p,a@ss@b:2/?protocol=resp3"
            ]
        );
    }

    #[test]
    fn the_complaint_about_an_address_does_not_repeat_it() {
        for url in ["redis+cluster://:hunter2@host:what", "http://hunter2"] {
            let Err(error) = Address::parse(url) else { panic!("{url} was taken") };
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}

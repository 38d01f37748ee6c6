//! Image hosts that do harm: each accepts, and none gives an image.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a host does to those who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Accepts and never says a word; under `https` that stalls TLS.
    Silent,
    /// One byte a second, for ever.
    Drips,
    /// A body that does not end.
    Floods,
    /// Redirects, always to itself.
    Circles,
}

/// One host of each manner, on an address of its own.
#[derive(Debug)]
pub struct RoughHosts {
    urls: Vec<String>,
    servers: Vec<JoinHandle<()>>,
}

impl RoughHosts {
    /// Starts them.
    ///
    /// # Panics
    /// When no loopback port can be had.
    pub async fn start() -> Self {
        let manners = [
            ("http", Manner::Silent),
            ("https", Manner::Silent),
            ("http", Manner::Drips),
            ("http", Manner::Floods),
            ("http", Manner::Circles),
        ];
        let (mut urls, mut servers) = (Vec::new(), Vec::new());
        // Several of each, because downloads are counted by host.
        for number in 2..22 {
            let (scheme, manner) = manners[number % manners.len()];
            let listener = TcpListener::bind(format!("127.0.0.{number}:0")).await;
            let listener = listener.expect("a loopback port");
            let address = listener.local_addr().expect("a bound address");
            urls.push(format!("{scheme}://{address}/picture.jpg"));
            servers.push(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, manner));
                }
            }));
        }
        Self { urls, servers }
    }

    /// A URL of each.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }
}

impl Drop for RoughHosts {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// Ends when the client has gone.
async fn serve(mut stream: TcpStream, manner: Manner) {
    let mut request = vec![0; 4096];
    if stream.read(&mut request).await.is_err() {
        return;
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n";
    match manner {
        Manner::Silent => while stream.read(&mut request).await.is_ok_and(|read| read > 0) {},
        Manner::Drips => {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&[0xff]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Manner::Floods => {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&[0xff; 65_536]).await.is_ok() {}
        }
        Manner::Circles => {
            let again = "HTTP/1.1 302 Found\r\nLocation: /again.jpg\r\nContent-Length: 0\r\n\
                         Connection: close\r\n\r\n";
            let _ = stream.write_all(again.as_bytes()).await;
        }
    }
}

use proptest::prelude::*;

use super::*;

fn strict(text: &str) -> Result<Target, TargetError> {
    Target::parse(text, &FetchPolicy::default())
}

fn lenient(text: &str) -> Result<Target, TargetError> {
    let policy = FetchPolicy { danger_allow_private_networks: true, ..FetchPolicy::default() };
    Target::parse(text, &policy)
}

#[test]
fn urls_of_public_hosts_are_allowed() {
    for text in [
        "http://example.com",
        "https://example.com/a/b.jpg?w=100&h=100#top",
        "HTTPS://EXAMPLE.com:8443/x",
        "http://example.com.:8080/",
        "https://bücher.example/ä.png",
        "https://8.8.8.8/x.png",
        "https://[2606:4700:4700::1111]/x.png",
        "https://localhost.example.com/",
        "https://mylocal.shop/",
    ] {
        assert!(strict(text).is_ok(), "{text}: {:?}", strict(text));
    }
}

#[test]
fn other_schemes_are_refused_whatever_the_policy() {
    for text in [
        "ftp://example.com/x",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "example.com/x.png",
        "//example.com/x.png",
        "",
    ] {
        assert!(strict(text).is_err() && lenient(text).is_err(), "{text}");
    }
}

#[test]
fn text_that_parsers_read_differently_is_refused_whatever_the_policy() {
    for text in [
        "http:example.com",
        "http:/example.com",
        "http:///example.com",
        "http://",
        "http://exa\tmple.com/",
        "http://exa\nmple.com/",
        "http://example.com\\@evil.example/",
        "http:\\\\example.com\\",
        " http://example.com/",
        "http://example.com/a b",
        "http://example.com/\u{0}",
        "http://example.com/\u{a0}",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://:secret@example.com/",
        "http://@example.com/",
        "http://:@example.com/",
        "http://example..com/",
        "http://[::1/",
        "http://exa\"mple.com/",
        "http://exa{mple}.com/",
        "http://example.com,evil.example/",
        "http://example.com;evil.example/",
        "http://exa%22mple.com/",
    ] {
        assert!(strict(text).is_err() && lenient(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_url_has_a_limited_length() {
    let stem = "https://example.com/";
    let longest = format!("{stem}{}", "a".repeat(MAX_URL_BYTES - stem.len()));
    assert!(strict(&longest).is_ok());
    assert!(strict(&format!("{longest}a")).is_err());
    // Escaping triples it only after parsing.
    assert!(strict(&format!("{stem}{}", "ä".repeat(700))).is_err());
}

#[test]
fn a_host_name_has_the_length_that_the_dns_allows() {
    let label = "a".repeat(MAX_LABEL_BYTES);
    let longest = [label.as_str(); 4].join(".");
    assert!(strict(&format!("http://{}/", &longest[2..])).is_ok());
    assert!(strict(&format!("http://{longest}/")).is_err());
    assert!(strict(&format!("http://a{label}.example/")).is_err());
}

#[test]
fn other_ports_are_refused() {
    for port in [22, 25, 6379, 8081, 65535] {
        assert!(strict(&format!("http://example.com:{port}/")).is_err(), "{port}");
    }
    assert!(lenient("http://example.com:6379/").is_ok());
}

#[test]
fn names_of_private_hosts_are_refused() {
    for text in [
        "http://localhost/",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://x.localhost/",
        "http://redis/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://router.lan/",
        "http://nas.home.arpa/",
        "http://git.corp/",
        "http://wiki.intranet./",
        "http://abc.onion/",
        "http://localhost.localdomain/",
    ] {
        assert!(strict(text).is_err(), "{text}");
        assert!(lenient(text).is_ok(), "{text}");
    }
}

#[test]
fn every_spelling_of_a_private_address_is_refused() {
    for text in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://127%2e0%2e0%2e1/",
        "http://１２７.０.０.１/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http://0/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::a00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[2606:4700::5efe:a00:1]/",
    ] {
        assert!(strict(text).is_err(), "{text}: {:?}", strict(text));
    }
}

#[test]
fn an_address_on_the_list_is_allowed_and_its_neighbour_is_not() {
    let policy = FetchPolicy {
        danger_allow_addresses: vec!["10.1.2.3".parse().unwrap()],
        ..FetchPolicy::default()
    };
    assert!(Target::parse("http://10.1.2.3/x.jpg", &policy).is_ok());
    assert!(Target::parse("http://10.1.2.4/x.jpg", &policy).is_err());
}

#[test]
fn a_redirect_is_checked_like_a_url() {
    let policy = FetchPolicy::default();
    let from = strict("https://example.com/a/b?c").unwrap();
    let to = |location: &str| from.redirected(location, &policy).map(|to| to.0.to_string());
    assert_eq!(to("../d.jpg"), Ok("https://example.com/d.jpg".to_owned()));
    assert_eq!(to("//cdn.example.com/d"), Ok("https://cdn.example.com/d".to_owned()));
    for refused in [
        "http://example.com/",
        "//127.0.0.1/",
        "https://169.254.169.254/",
        "https://user@example.com/",
        "https://example.com:22/",
        "file:///etc/passwd",
        "/a\\b",
        "/a\tb",
        "https:d",
        "https:///example.com/",
        "///example.com/",
        "//@example.com/",
    ] {
        assert!(to(refused).is_err(), "{refused}");
    }
}

#[test]
fn a_target_prints_without_its_query() {
    let target = strict("https://example.com/a.jpg?signature=secret#x").unwrap();
    assert_eq!(target.to_string(), "https://example.com/a.jpg");
    assert_eq!(format!("{target:?}"), "Target(https://example.com/a.jpg)");
    assert_eq!(target.url().query(), Some("signature=secret"));
}

proptest! {
    #[test]
    fn an_accepted_address_is_public_whatever_its_spelling(
        text in "https?://[0-9a-fxX.:\\[\\]%]{1,24}(:[0-9]{1,5})?/?"
    ) {
        if let Ok(target) = strict(&text) {
            match target.url().host() {
                Some(Host::Ipv4(address)) => prop_assert!(crate::fetch::is_public(address.into())),
                Some(Host::Ipv6(address)) => prop_assert!(crate::fetch::is_public(address.into())),
                Some(Host::Domain(name)) => prop_assert!(name.parse::<IpAddr>().is_err()),
                None => prop_assert!(false, "no host"),
            }
        }
    }

    #[test]
    fn no_text_brings_the_parser_down(text in ".*") {
        let _ = strict(&text);
        let _ = lenient(&format!("http://{text}"));
    }
}

//! A host of pictures on loopback, for jobs that name URLs.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves fixed bodies by path over HTTP/1.1, 404 for all else.
#[derive(Debug)]
pub struct ImageHost {
    base: String,
    server: JoinHandle<()>,
}

impl ImageHost {
    /// Serves `pictures`, each a path such as `/red.jpg` and its bytes.
    ///
    /// # Panics
    /// When no loopback port can be had.
    pub async fn serve(pictures: HashMap<&'static str, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let base = format!("http://{}", listener.local_addr().expect("a bound address"));
        let pictures = Arc::new(pictures);
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let pictures = Arc::clone(&pictures);
                tokio::spawn(async move {
                    let mut head = vec![0; 8192];
                    let read = stream.read(&mut head).await.unwrap_or(0);
                    head.truncate(read);
                    let request = String::from_utf8_lossy(&head).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or("/");
                    let (status, body) = match pictures.get(path) {
                        Some(body) => ("200 OK", body.as_slice()),
                        None => ("404 Not Found", &b""[..]),
                    };
                    let head = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(body).await;
                });
            }
        });
        Self { base, server }
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl Drop for ImageHost {
    fn drop(&mut self) {
        self.server.abort();
    }
}

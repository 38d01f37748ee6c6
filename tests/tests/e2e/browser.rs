//! A newcomer's path with nothing but a browser.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aisle_tests::harness::Backend;
use aisle_tests::pictures::{Colour, picture};
use aisle_tests::places::free_port;
use aisle_tests::service::{Processes, Service};
use aisle_tests::wait;
use image::ImageFormat;
use thirtyfour::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_classifies_a_picture_on_the_docs_page() {
    let service = Service::tiny(Backend::Sqlite, Processes::One, &[]).await;
    let mut file = tempfile::Builder::new().suffix(".jpg").tempfile().expect("a picture's file");
    file.write_all(&picture(Colour::Red, 80, 60, ImageFormat::Jpeg)).expect("a picture's file");
    let browser = Browser::start().await;

    let shown = newcomers_path(&browser.driver, &service, file.path().to_str().unwrap()).await;
    let screenshot = browser.driver.screenshot_as_png().await;
    browser.driver.clone().quit().await.expect("a closed browser");

    let shown = shown.unwrap_or_else(|error| {
        let target = std::env::temp_dir().join("aisle-docs-page.png");
        let _ = screenshot.map(|png| std::fs::write(&target, png));
        panic!("{error}\na screenshot is in {}", target.display())
    });
    assert!(shown.contains("Warm > Red"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_with_a_key_puts_it_into_the_docs_page() {
    let service = Service::tiny_with_keys(Backend::Sqlite, Processes::One, &[]).await;
    let key = service.key("newcomer", "jobs:read");
    let browser = Browser::start().await;
    let shown = with_key(&browser.driver, &service, &key).await;
    browser.driver.clone().quit().await.expect("a closed browser");
    assert!(shown.expect("the page").contains("tiny"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_finds_an_api_without_keys_closed() {
    let service = Service::tiny(Backend::Sqlite, Processes::One, &[]).await;
    let browser = Browser::start().await;
    let shown = from_elsewhere(&browser.driver, &service).await;
    browser.driver.clone().quit().await.expect("a closed browser");
    let [posted, rebound] = shown.expect("what the browser shows");
    assert!(posted.contains("cross_site_request"), "{posted}");
    assert!(rebound.contains("host_not_allowed"), "{rebound}");
}

/// Posts a job by a form that stands on a page of another site, and opens the
/// jobs under a stranger's name that leads here. Returns what is shown then.
async fn from_elsewhere(driver: &WebDriver, service: &Service) -> WebDriverResult<[String; 2]> {
    let action = service.url("/v1/jobs");
    let form = format!("<form method=post enctype=multipart/form-data action={action}><button>");
    driver.goto(format!("data:text/html,{form}")).await?;
    driver.query(By::Css("button")).wait(WAIT, STEP).first().await?.click().await?;
    let posted = text_of_page(driver, "request_id").await;
    driver.goto(action.replace("127.0.0.1", STRANGER)).await?;
    Ok([posted, text_of_page(driver, "request_id").await])
}

async fn text_of_page(driver: &WebDriver, part: &str) -> String {
    let text = wait::until("the text of the page", || async {
        let text = driver.find(By::Css("body")).await.ok()?.text().await.ok()?;
        text.contains(part).then_some(text)
    });
    text.await
}

/// Lists the models on the docs page, without a key and then with one.
/// Returns what the page shows in the end.
async fn with_key(driver: &WebDriver, service: &Service, key: &str) -> WebDriverResult<String> {
    driver.goto(service.url("/docs")).await?;
    let list = operation(driver, "get", "/v1/models").await?;
    open(&list).await?;
    find(&list, "button.execute").await?.click().await?;
    text_of_answer(&list, "unauthenticated").await?;

    driver.query(By::Css("button.authorize")).wait(WAIT, STEP).first().await?.click().await?;
    let dialog = driver.query(By::Css(".dialog-ux .modal-ux")).wait(WAIT, STEP).first().await?;
    find(&dialog, "input").await?.send_keys(key).await?;
    find(&dialog, "button.authorize").await?.click().await?;
    find(&dialog, "button.btn-done").await?.click().await?;
    find(&list, "button.execute").await?.click().await?;
    text_of_answer(&list, "live_workers").await
}

/// Opens `/docs`, tries `POST /v1/jobs` out with a file, copies the id and
/// fetches the result. Returns what the page shows as the result.
async fn newcomers_path(
    driver: &WebDriver,
    service: &Service,
    file: &str,
) -> WebDriverResult<String> {
    driver.goto(service.url("/docs")).await?;
    let post = operation(driver, "post", "/v1/jobs").await?;
    open(&post).await?;
    find(&post, "input[type=file]").await?.send_keys(file).await?;
    find(&post, "button.execute").await?.click().await?;
    let answer = text_of_answer(&post, "\"id\"").await?;
    let job: serde_json::Value = serde_json::from_str(&answer)
        .map_err(|error| WebDriverError::Json(format!("{error}: {answer}")))?;
    let id = job["id"].as_str().expect("a job id").to_owned();

    let get = operation(driver, "get", "/v1/jobs/{id}").await?;
    open(&get).await?;
    find(&get, "tr[data-param-name=id] input").await?.send_keys(&id).await?;
    find(&get, "tr[data-param-name=Prefer] input").await?.send_keys("wait=30").await?;
    find(&get, "button.execute").await?.click().await?;
    text_of_answer(&get, "predictions").await
}

async fn operation(driver: &WebDriver, method: &str, path: &str) -> WebDriverResult<WebElement> {
    let xpath = format!("//div[contains(@class,'opblock-{method}')][.//*[@data-path='{path}']]");
    driver.query(By::XPath(xpath)).wait(WAIT, STEP).first().await
}

async fn open(operation: &WebElement) -> WebDriverResult<()> {
    find(operation, ".opblock-summary-control").await?.click().await?;
    find(operation, "button.try-out__btn").await?.click().await
}

async fn find(parent: &WebElement, selector: &str) -> WebDriverResult<WebElement> {
    let element = parent.query(By::Css(selector)).wait(WAIT, STEP).first().await?;
    element.scroll_into_view().await?;
    Ok(element)
}

async fn text_of_answer(operation: &WebElement, part: &str) -> WebDriverResult<String> {
    let answer = wait::until("the answer on the page", || async {
        let bodies = operation
            .find_all(By::Css(
                ".live-responses-table .highlight-code pre, .live-responses-table pre",
            ))
            .await
            .ok()?;
        for body in bodies {
            let text = body.text().await.ok()?;
            if text.contains(part) {
                return Some(text);
            }
        }
        None
    });
    Ok(answer.await)
}

const WAIT: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(100);

/// A name that leads the browser to this machine, as its owner could make any.
const STRANGER: &str = "stranger.example";

struct Browser {
    driver: WebDriver,
    chromedriver: Child,
}

impl Browser {
    async fn start() -> Self {
        let port = free_port();
        let chromedriver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is absent: `make setup-tests` brings it");
        wait::until("chromedriver", || async {
            TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())
        })
        .await;
        let mut wishes = DesiredCapabilities::chrome();
        for argument in [
            &format!("--host-resolver-rules=MAP {STRANGER} 127.0.0.1"),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,2000",
        ] {
            wishes.add_arg(argument).expect("an argument");
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wishes)
            .await
            .expect("Chromium starts under chromedriver");
        Self { driver, chromedriver }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
    }
}

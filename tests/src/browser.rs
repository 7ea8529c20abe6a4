//! A real headless Chromium, driven through chromedriver, with a profile of its own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::program::{Offspring, Program, find};

/// The browser; ends with its value.
pub struct Browser {
    client: Client,
    _driver: Program,
    _offspring: Offspring,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with a window of 1280 × 900.
    ///
    /// # Panics
    /// If Chromium or chromedriver is not installed, or does not start.
    pub async fn start() -> Self {
        Self::start_with(json!({})).await
    }

    /// One that keeps no cookie of any site, as people can tell their browser to.
    pub async fn without_cookies() -> Self {
        Self::start_with(json!({ "profile.default_content_setting_values.cookies": 2 })).await
    }

    async fn start_with(preferences: Value) -> Self {
        let chromium = find(
            &["chromium", "chromium-browser", "google-chrome", "chrome"],
            "chromium",
        );
        let chromedriver = find(&["chromedriver"], "chromium-driver");
        let profile = tempfile::tempdir().expect("a folder for the browser's profile");
        let port = free_port();
        let mut command = Command::new(chromedriver);
        command
            .arg(format!("--port={port}"))
            .env("TMPDIR", profile.path())
            .env("HOME", profile.path());
        let driver = Program::start(&mut command);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(&chromium, &profile, &preferences));
        let address = format!("http://127.0.0.1:{port}");
        let connect = async || builder.connect(&address).await.ok();
        let client = crate::eventually("chromedriver starts a browser", connect).await;
        Self {
            client,
            _driver: driver,
            _offspring: Offspring::with_argument(user_data(&profile)),
            _profile: profile,
        }
    }

    /// Goes to a URL and waits for its load event.
    ///
    /// # Panics
    /// If the browser cannot.
    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.expect("the browser loads the page");
    }

    /// Loads the page again.
    ///
    /// # Panics
    /// If the browser cannot.
    pub async fn reload(&self) {
        self.client
            .refresh()
            .await
            .expect("the browser loads the page again");
    }

    /// The path of the current page.
    ///
    /// # Panics
    /// If the browser does not say.
    pub async fn path(&self) -> String {
        self.client
            .current_url()
            .await
            .expect("the current URL")
            .path()
            .to_owned()
    }

    /// Waits for an element.
    ///
    /// # Panics
    /// If it does not come.
    pub async fn find(&self, selector: &str) -> Element {
        let wait = self.client.wait().at_most(Duration::from_secs(15));
        match wait.for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => panic!("no element {selector} on {}: {error}", self.path().await),
        }
    }

    /// Types into a field.
    ///
    /// # Panics
    /// If it is not there.
    pub async fn type_into(&self, selector: &str, text: &str) {
        self.find(selector)
            .await
            .send_keys(text)
            .await
            .expect("a field to type into");
    }

    /// Clicks.
    ///
    /// # Panics
    /// If there is nothing to click.
    pub async fn click(&self, selector: &str) {
        self.find(selector)
            .await
            .click()
            .await
            .expect("something to click");
    }

    /// Runs a script in the page; `return` gives its value.
    ///
    /// # Panics
    /// If it throws.
    pub async fn run(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .expect("a script that runs")
    }

    /// Waits until a script's expression is true.
    ///
    /// # Panics
    /// If it does not become true.
    pub async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        let check = async || (self.run(&script).await == json!(true)).then_some(());
        crate::eventually(expression, check).await;
    }

    /// Where the browser looks: one of [`Browser::tabs`].
    ///
    /// # Panics
    /// If the browser does not say.
    pub async fn tab(&self) -> WindowHandle {
        self.client.window().await.expect("a window")
    }

    /// All tabs and windows.
    ///
    /// # Panics
    /// If the browser does not say.
    pub async fn tabs(&self) -> Vec<WindowHandle> {
        self.client.windows().await.expect("the windows")
    }

    /// Opens a tab and looks at it.
    ///
    /// # Panics
    /// If the browser does not.
    pub async fn open_tab(&self) -> WindowHandle {
        let tab = self.client.new_window(true).await.expect("a new tab").handle;
        self.look_at(&tab).await;
        tab
    }

    /// Looks at another tab.
    ///
    /// # Panics
    /// If it is closed.
    pub async fn look_at(&self, tab: &WindowHandle) {
        self.client
            .switch_to_window(tab.clone())
            .await
            .expect("a tab to look at");
    }

    /// The visible text of an element.
    ///
    /// # Panics
    /// If it is not there.
    pub async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.expect("an element's text")
    }

    /// Resizes the window.
    ///
    /// # Panics
    /// If the browser does not.
    pub async fn resize(&self, width: u32, height: u32) {
        self.client
            .set_window_size(width, height)
            .await
            .expect("a window to resize");
    }

    /// Pretends to print (`"print"`) or to be a screen (`"screen"`) whose owner prefers `"light"` or `"dark"`.
    ///
    /// # Panics
    /// If the browser does not.
    pub async fn pretend(&self, media: &str, scheme: &str) {
        let parameters = json!({
            "media": media,
            "features": [{ "name": "prefers-color-scheme", "value": scheme }],
        });
        let command = DevTools("Emulation.setEmulatedMedia", parameters);
        self.client.issue_cmd(command).await.expect("another medium");
    }

    /// What the console has said at the level of an error since the last call.
    ///
    /// # Panics
    /// If the browser does not say.
    pub async fn console_errors(&self) -> Vec<String> {
        let entries = self
            .client
            .issue_cmd(ConsoleLog)
            .await
            .expect("the console's log");
        let entries = entries.as_array().cloned().unwrap_or_default();
        let errors = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        errors
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Writes a picture of the window into `HIVEMATRIX_SCREENSHOTS`, or `target/screenshots`.
    ///
    /// # Panics
    /// If that fails.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let folder = std::env::var_os("HIVEMATRIX_SCREENSHOTS").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/screenshots")),
            PathBuf::from,
        );
        std::fs::create_dir_all(&folder).expect("a folder for screenshots");
        let file = folder.join(format!("{name}.png"));
        let picture = self.client.screenshot().await.expect("a screenshot");
        std::fs::write(&file, picture).expect("a file for the screenshot");
        file
    }

    /// Ends the browser in good order; dropping it kills it.
    pub async fn close(self) {
        let _ = self.client.clone().close().await;
    }
}

fn user_data(profile: &TempDir) -> String {
    format!("--user-data-dir={}", profile.path().join("profile").display())
}

fn capabilities(chromium: &std::path::Path, profile: &TempDir, preferences: &Value) -> Capabilities {
    let profile = user_data(profile);
    let arguments = json!([
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,900",
        profile,
    ]);
    let mut capabilities = Capabilities::new();
    capabilities.insert("browserName".into(), json!("chrome"));
    capabilities.insert("acceptInsecureCerts".into(), json!(true));
    capabilities.insert(
        "goog:chromeOptions".into(),
        json!({ "binary": chromium, "args": arguments, "prefs": preferences }),
    );
    capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
    capabilities
}

/// Chromedriver's way to a command of the browser's own protocol.
#[derive(Debug)]
struct DevTools(&'static str, Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.0, "params": self.1 });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// Chromedriver's command for the console's log.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

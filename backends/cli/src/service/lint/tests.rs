//! Each rule on a small folder; the services of this repository and the templates, which keep them all.

use std::path::PathBuf;

use super::*;

/// What is found in a folder with these files, as `file:line:column: rule`.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let report = super::folder(folder.path()).unwrap();
    let short = |finding: &Finding| {
        let file = finding
            .file
            .strip_prefix(folder.path())
            .unwrap()
            .display()
            .to_string();
        format!("{file}:{}:{}: {}", finding.line, finding.column, finding.rule)
    };
    report.findings.iter().map(short).collect()
}

fn repository(folder: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(folder)
}

#[test]
fn our_own_services_and_the_templates_keep_the_house_rules() {
    for folder in [
        "src/codex",
        "src/helm",
        "src/template",
        "cli/templates/axum",
        "cli/templates/flask",
    ] {
        let report = super::folder(&repository(folder)).unwrap();
        let lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert!(report.files > 1, "{folder}");
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}

#[test]
fn styles_are_found_wherever_they_hide() {
    let files = [
        ("a.css", "p {}\n"),
        (
            "b.html",
            "<p class=\"card\">\n <b style=\"color: red\">x</b>\n<style>p{}</style><link rel=\"stylesheet\" href=x>",
        ),
        (
            "c.rs",
            "fn f() { html! { p style=\"color: red\" { \"style\" } (style(1)) } }\nlet x = \"<style>\"; // <style>\n",
        ),
        ("d.py", "x = '<p style=\"x\">'\n# <style>\n"),
    ];
    assert_eq!(
        found(&files),
        [
            "a.css:1:1: no-css",
            "b.html:2:5: no-css",
            "b.html:3:1: no-css",
            "b.html:3:25: no-css",
            "c.rs:1:20: no-css",
            "c.rs:2:10: no-css",
            "d.py:1:9: no-css",
        ]
    );
}

#[test]
fn unknown_classes_are_found_and_what_is_put_in_by_a_template_is_not_judged() {
    let files = [
        (
            "a.html",
            "<p class=\"card cards {% if x %}btn{% endif %} badge--{{ kind }} {{ more }}\">",
        ),
        (
            "b.rs",
            "fn f() { html! { div .card .cord[x.is_y()] { @if a.is_empty() { p.foo__bar { (x.name) } } } \
             @let y = z.clone(); a class=\"btn bttn\" {} } }",
        ),
    ];
    assert_eq!(
        found(&files),
        [
            "a.html:1:16: unknown-class",
            "b.rs:1:29: unknown-class",
            "b.rs:1:67: unknown-class",
            "b.rs:1:126: unknown-class",
        ]
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.html"), "<p class=\"card__titel\">").unwrap();
    let told = super::folder(folder.path()).unwrap().findings.remove(0).message;
    assert_eq!(
        told,
        "the design system has no class card__titel; did you mean card__title?"
    );
}

#[test]
fn routes_in_rust_are_protected_by_a_guard_or_by_what_their_handlers_take() {
    let text = r#"
fn router(auth: Auth) -> Router {
    let inside = Router::new().route("/a", get(a));
    let outside = Router::new().route("/b", get(b)).route("/c", get(c).post(d));
    auth.guard(inside, Access::AnyUser)
        .merge(outside)
        .merge(auth.guard(Router::new().route("/e", get(b)), Access::AnyUser))
        .route("/f", get(b))
        .route("/health", get(b))
}
fn layered() -> Router { Router::new().route("/g", get(b)).route_layer(from_fn(check)) }
async fn a() {}
async fn b(State(s): State<S>) {}
async fn c(user: User) {}
async fn d(_: kit::Caller, body: Bytes) {}
"#;
    assert_eq!(
        found(&[("a.rs", text)]),
        ["a.rs:4:33: unprotected-route", "a.rs:8:10: unprotected-route"]
    );
}

#[test]
fn routes_in_python_are_protected_below_the_route() {
    let text = "from flask import Flask\napp = Flask(__name__)\n\
                app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1,\n    x_prefix=1)\n\
                @app.get('/a')\n@token_required\ndef a(): pass\n\n\
                @app.route(\"/b\", methods=['GET'])\ndef b(): pass\n\n\
                @token_required\n@app.post('/c')\ndef c(): pass\n\n\
                @app.get('/health')\ndef health(): pass\n";
    assert_eq!(
        found(&[("app.py", text)]),
        ["app.py:9:1: unprotected-route", "app.py:13:1: unprotected-route"]
    );
    let always = format!("{text}\n@app.before_request\ndef check():\n    request.headers['Authorization']\n");
    assert_eq!(found(&[("app.py", &always)]), [""; 0]);
}

#[test]
fn a_prefix_of_ones_own_and_listening_beyond_loopback_are_found() {
    let files = [
        (
            "app.py",
            "app = Flask(__name__)\nenviron['SCRIPT_NAME'] = x  # 0.0.0.0\n",
        ),
        ("fix.py", "ProxyFix(app, x_for=1, x_proto=1, x_host=1)\n"),
        (
            "main.rs",
            "let a = \"0.0.0.0:5000\"; // 0.0.0.0\nlet b = \"10.0.0.0\"; let c = Ipv4Addr::UNSPECIFIED;\n",
        ),
        ("run", "exec gunicorn --bind :5000 app\n"),
    ];
    assert_eq!(
        found(&files),
        [
            "app.py:2:10: prefix",
            "fix.py:1:1: prefix",
            "main.rs:1:10: loopback-only",
            "main.rs:2:39: loopback-only",
            "run:1:15: loopback-only",
        ]
    );
    let without = found(&[("app.py", "app = Flask(__name__)\n")]);
    assert_eq!(without, ["app.py:1:7: prefix"]);
}

#[test]
fn a_fetch_says_that_it_rides_on_the_session() {
    let text = "fetch('/x');\nfetch(url, { method: 'PUT', credentials: 'same-origin' });\nprefetch('/y');\n// fetch('/z')\n";
    assert_eq!(found(&[("a.js", text)]), ["a.js:1:1: credentials"]);
}

#[test]
fn tests_and_what_was_built_are_passed_over_and_an_empty_folder_is_said_to_be_one() {
    let files = [
        ("app.py", "x = 1\n"),
        ("target/a.css", "p {}"),
        (".venv/b.css", "p {}"),
        ("tests/c.html", "<style>"),
    ];
    assert_eq!(found(&files), [""; 0]);
    let folder = tempfile::tempdir().unwrap();
    assert!(super::folder(folder.path()).is_err());
}

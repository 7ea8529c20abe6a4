//! Codex behind the gateway: what people of each level find there, with a real browser where looks matter.

use hivematrix_tests::{Browser, Stack};

use crate::browser::sign_in;

#[tokio::test]
async fn an_administrator_takes_agents_over_from_the_provider_and_others_have_no_such_page() {
    let stack = Stack::start().await;
    let admin = stack.signed_in("admin").await;
    let before = admin.navigate("/codex/agents").await;
    assert_eq!(before.status, 200);
    assert!(
        !before.text().contains("technician@hivematrix.example"),
        "{}",
        before.text()
    );

    let after = admin.submit(&before, &[]).await;
    assert_eq!(after.status, 200);
    let text = after.text();
    for shown in [
        "Agents were synchronized.",
        "technician@hivematrix.example",
        "billing@hivematrix.example",
    ] {
        assert!(text.contains(shown), "no {shown} in {text}");
    }
    let technician = stack.signed_in("technician").await;
    assert_eq!(technician.navigate("/codex/agents").await.status, 403);
}

#[tokio::test]
async fn a_client_sees_their_own_company_and_staff_see_all() {
    let stack = Stack::start().await;
    let client = stack.signed_in("client").await;
    let own = client.fetch("/codex/api/companies").await.json();
    assert_eq!(
        (&own["total"], &own["companies"][0]["name"]),
        (&1.into(), &"Alder & Finch Accounting".into())
    );
    let other = client.navigate("/codex/companies/2").await;
    assert_eq!(other.status, 404);
    let staff = stack.signed_in("billing").await;
    assert_eq!(staff.fetch("/codex/api/companies").await.json()["total"], 15);
}

#[tokio::test]
async fn a_browser_exports_corrects_and_imports_a_file_and_no_page_is_wider_than_a_telephone() {
    let stack = Stack::start().await;
    let browser = Browser::start().await;
    let origin = stack.origin().to_string();
    browser.go(&format!("{origin}codex/import")).await;
    sign_in(&browser, "technician").await;
    browser
        .until("document.querySelector('textarea[name=text]')")
        .await;
    browser
        .type_into("textarea[name=text]", "name,phone\nNew Company,call me\n")
        .await;
    browser.click(".form__actions .btn--primary").await;
    browser.until("document.querySelector('.alert--danger')").await;
    let told = browser
        .run("return document.querySelector('.alert--danger').innerText")
        .await;
    assert!(
        told.as_str().unwrap().contains("Line 2, column 2 (phone)"),
        "{told}"
    );
    browser.screenshot("codex-import-refused").await;
    // What was typed is still there; only the fault is corrected.
    browser
        .run("const text = document.querySelector('textarea[name=text]'); text.value = text.value.replace('call me', '+1 555 0100')")
        .await;
    browser.click(".form__actions .btn--primary").await;
    browser.until("document.querySelector('.alert--success')").await;
    browser
        .go(&format!("{origin}codex/companies?search=new+company"))
        .await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('tbody tr').length")
            .await,
        1
    );
    let faults: Vec<String> = browser
        .console_errors()
        .await
        .into_iter()
        .filter(|error| !error.contains("favicon.ico") && !error.contains("422"))
        .collect();
    assert_eq!(faults, Vec::<String>::new());

    let pages = [
        "companies",
        "companies/1",
        "companies/1/edit",
        "companies/1/assets/new",
        "contacts",
        "assets",
        "import",
        "settings",
    ];
    for (width, name) in [(1280, "wide"), (390, "narrow")] {
        browser.resize(width, 860).await;
        for path in pages {
            browser.go(&format!("{origin}codex/{path}")).await;
            let over = browser
                .run("const page = document.documentElement; return page.scrollWidth - page.clientWidth")
                .await;
            assert!(
                over.as_i64() <= Some(0),
                "{path} is {over} pixels too wide at {width}"
            );
            browser
                .screenshot(&format!("codex-{}-{name}", path.replace('/', "-")))
                .await;
        }
    }
    browser.close().await;
}

//! Theme, colours and home page: the settings page, the toggle, what the gateway asks.

use super::*;

async fn theme_of(codex: &Stand, email: &str) -> Value {
    codex
        .get(
            &format!("/api/public/user/theme?email={email}"),
            &service("nexus", "codex"),
        )
        .await
        .json()
}

#[tokio::test]
async fn the_theme_toggle_works_on_the_first_visit_and_the_gateway_learns_of_it() {
    let codex = codex().await;
    assert_eq!(
        theme_of(&codex, "technician@example.com").await,
        json!({"theme": "light", "color_theme": "purple", "source": "default"})
    );

    let token = user(Technician);
    let toggled = codex
        .call(
            Method::PUT,
            "/api/my/settings",
            &token,
            json!({"theme_preference": "dark"}),
        )
        .await;
    assert_eq!(
        (toggled.status, &toggled.json()["theme_preference"]),
        (200, &json!("dark"))
    );
    assert_eq!(
        theme_of(&codex, "technician@example.com").await,
        json!({"theme": "dark", "color_theme": "purple", "source": "codex"})
    );
    assert_eq!(
        theme_of(&codex, "Technician%40Example.COM").await["theme"],
        "dark",
        "whatever the case of the address"
    );

    let rest = codex
        .call(
            Method::PUT,
            "/api/my/settings",
            &token,
            json!({"color_theme": "bee", "home_page": "ledger"}),
        )
        .await;
    assert_eq!(rest.status, 200);
    assert_eq!(
        codex.get("/api/my/settings", &token).await.json(),
        json!({"theme_preference": "dark", "color_theme": "bee", "home_page": "ledger"})
    );
    let home = codex
        .get(
            "/api/public/user/home-page?email=technician@example.com",
            &service("nexus", "codex"),
        )
        .await;
    assert_eq!(home.json(), json!({"home_page": "ledger", "source": "codex"}));
    let home = codex
        .get(
            "/api/public/user/home-page?email=nobody@example.com",
            &service("nexus", "codex"),
        )
        .await;
    assert_eq!(home.json(), json!({"home_page": "helm", "source": "default"}));
}

#[tokio::test]
async fn who_has_no_email_address_is_told_that_there_is_no_agent() {
    let codex = codex().await;
    let token = user_with_email(Client, "");
    for answer in [
        codex.get("/api/my/settings", &token).await,
        codex
            .call(
                Method::PUT,
                "/api/my/settings",
                &token,
                json!({"theme_preference": "dark"}),
            )
            .await,
    ] {
        assert_eq!(
            (answer.status, answer.json()),
            (404, json!({"error": "Agent not found"}))
        );
    }
    let page = codex.page("/settings", &token).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("has no e-mail address"), "{}", page.text);
    assert_eq!(codex.page("/companies", &token).await.status, 200);
}

#[tokio::test]
async fn bad_preferences_are_refused_by_the_name_of_the_field() {
    let settings = CodexSettings {
        home_pages: vec!["codex".parse().unwrap()],
        ..settings().await
    };
    let codex = codex_with(settings).await;
    let token = user(Client);
    for (body, field) in [
        (json!({"theme_preference": "blue"}), "theme_preference"),
        (json!({"color_theme": "dark"}), "color_theme"),
        (json!({"home_page": "//evil.example"}), "home_page"),
        (json!({"home_page": "unknown"}), "home_page"),
    ] {
        let answer = codex.call(Method::PUT, "/api/my/settings", &token, body).await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (400, "application/problem+json")
        );
        assert_eq!(answer.json()["errors"][0]["field"], field, "{}", answer.text);
    }
    assert_eq!(
        codex
            .call(Method::PUT, "/api/my/settings", &token, json!([1]))
            .await
            .status,
        400
    );
    assert_eq!(
        codex.get("/api/my/settings", &token).await.json()["theme_preference"],
        "light"
    );
}

#[tokio::test]
async fn only_services_that_call_codex_may_ask_about_somebody() {
    let codex = codex().await;
    for path in [
        "/api/public/user/theme?email=a@example.com",
        "/api/public/user/home-page?email=a@example.com",
    ] {
        for (who, token, status) in [
            ("nobody", String::new(), 401),
            ("a client", user(Client), 403),
            ("an administrator", user(Admin), 403),
            ("a service that calls another", service("nexus", "helm"), 401),
            ("a service", service("nexus", "codex"), 200),
        ] {
            assert_eq!(codex.get(path, &token).await.status, status, "{who} asked {path}");
        }
    }
    assert_eq!(
        codex
            .get("/api/my/settings", &service("nexus", "codex"))
            .await
            .status,
        403,
        "a service has no settings"
    );
}

#[tokio::test]
async fn the_settings_page_is_a_plain_form_that_keeps_what_was_chosen() {
    let settings = CodexSettings {
        home_pages: vec!["codex".parse().unwrap(), "helm".parse().unwrap()],
        ..settings().await
    };
    let codex = codex_with(settings).await;
    let token = user(Client);
    let page = codex.page("/settings", &token).await;
    for color in [
        "purple", "blue", "green", "orange", "gold", "red", "yellow", "matrix", "bee",
    ] {
        assert!(
            page.text.contains(&format!("value=\"{color}\"")),
            "no {color} in {}",
            page.text
        );
    }
    assert!(page.text.contains("<option value=\"light\" selected>"));

    let chosen = [
        ("theme_preference", "dark"),
        ("color_theme", "matrix"),
        ("home_page", "codex"),
    ];
    let saved = codex.submit("/settings", &token, &chosen).await;
    assert_eq!(
        (saved.status, saved.location.as_str()),
        (303, "/codex/settings?done=settings-saved")
    );
    let page = codex.page("/settings?done=settings-saved", &token).await;
    for shown in [
        "<option value=\"dark\" selected>",
        "<option value=\"matrix\" selected>",
        "<option value=\"codex\" selected>",
        "Your settings were saved.",
    ] {
        assert!(page.text.contains(shown), "no {shown} in {}", page.text);
    }

    let refused = codex
        .submit(
            "/settings",
            &token,
            &[
                ("theme_preference", "blue"),
                ("color_theme", "red"),
                ("home_page", ""),
            ],
        )
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .text
            .contains("This must be one of light, dark, not &quot;blue&quot;."),
        "{}",
        refused.text
    );
    assert_eq!(
        theme_of(&codex, "client@example.com").await["color_theme"],
        "matrix",
        "nothing of it was saved"
    );
}

#[tokio::test]
async fn one_persons_settings_are_not_anothers() {
    let codex = codex().await;
    let set = |level: PermissionLevel, color: &'static str| {
        let codex = &codex;
        async move {
            codex
                .call(
                    Method::PUT,
                    "/api/my/settings",
                    &user(level),
                    json!({"color_theme": color}),
                )
                .await
                .status
        }
    };
    assert_eq!((set(Admin, "red").await, set(Client, "blue").await), (200, 200));
    assert_eq!(theme_of(&codex, "admin@example.com").await["color_theme"], "red");
    assert_eq!(
        theme_of(&codex, "client@example.com").await["color_theme"],
        "blue"
    );
}

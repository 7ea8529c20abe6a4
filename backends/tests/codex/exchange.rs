//! CSV in and out.

use super::*;

/// Sends a file as the form does.
async fn import(codex: &Stand, token: &str, fields: &[(&str, &str)]) -> Answer {
    let boundary = "----boundary-of-this-test";
    let mut body = String::new();
    for (name, value) in fields {
        let file = if *name == "file" {
            "; filename=\"companies.csv\"\r\nContent-Type: text/csv"
        } else {
            ""
        };
        body.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    let request = codex
        .request(Method::POST, "/import", token)
        .header("accept", "text/html")
        .header("sec-fetch-mode", "navigate")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={boundary}"),
        );
    codex.send(request.body(body)).await
}

async fn post(codex: &Stand, path: &str, csv: impl Into<Vec<u8>>) -> Answer {
    let request = codex.request(Method::POST, path, &user(Technician));
    codex
        .send(request.header("content-type", "text/csv").body(csv.into()))
        .await
}

const BAD: &str = "name,account_number,website,phone\n\
                   Acme,A-1,acme.example,+1 555 0100\n\
                   Beta,A 2,ftp://beta.example,call me\n\
                   ,A-3,,\n\
                   ACME,A-4,,\n\
                   Delta,A-1,,\n";

#[tokio::test]
async fn a_file_with_faults_changes_nothing_and_every_fault_is_told_with_line_and_column() {
    let codex = codex().await;
    let refused = post(&codex, "/api/import/companies", BAD).await;
    assert_eq!(
        (refused.status, refused.content_type.as_str()),
        (422, "application/problem+json")
    );
    let errors = refused.json()["errors"].as_array().unwrap().clone();
    let places: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error["line"].as_u64().unwrap(),
                error["column"].as_u64(),
                error["field"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (3, Some(2), Some("account_number")),
            (3, Some(3), Some("website")),
            (3, Some(4), Some("phone")),
            (4, Some(1), Some("name")),
            // One has the name of line 2, the other its number.
            (5, None, None),
            (6, None, None),
        ],
        "{}",
        refused.text
    );
    assert_eq!(codex.get("/api/companies", &user(Admin)).await.json()["total"], 0);

    let page = import(
        &codex,
        &user(Billing),
        &[("kind", "companies"), ("file", BAD), ("text", "")],
    )
    .await;
    assert_eq!(page.status, 422);
    must_be_a_proper_page(&page, "/codex");
    for shown in [
        "Nothing was imported.",
        "Line 3, column 4 (phone): This must be a telephone number",
        // What was sent comes back, to be corrected in place.
        "Beta,A 2,ftp://beta.example,call me",
    ] {
        assert!(page.text.contains(shown), "no {shown} in {}", page.text);
    }
    assert_eq!(codex.get("/api/companies", &user(Admin)).await.json()["total"], 0);
}

#[tokio::test]
async fn a_good_file_is_imported_once_checked_without_trace_and_changes_its_own_columns_only() {
    let codex = codex().await;
    let good = "name;account number;phone\nAcme;A-1;+1 555 0100\n\"Beta; Sons\";B-1;\n";
    let checked = import(
        &codex,
        &user(Admin),
        &[("kind", "companies"), ("text", good), ("check", "1")],
    )
    .await;
    assert_eq!(checked.status, 200);
    assert!(
        checked.text.contains("It would make 2 new") && checked.text.contains("Beta; Sons"),
        "{}",
        checked.text
    );
    assert_eq!(codex.get("/api/companies", &user(Admin)).await.json()["total"], 0);

    let imported = import(&codex, &user(Admin), &[("kind", "companies"), ("text", good)]).await;
    assert_eq!(imported.status, 200);
    must_be_a_proper_page(&imported, "/codex");
    assert!(
        imported.text.contains("2 new, 0 changed, 0 unchanged."),
        "{}",
        imported.text
    );
    let again = post(&codex, "/api/import/companies", good).await.json();
    assert_eq!(
        again,
        json!({"success": true, "checked_only": false, "created": 0, "changed": 0, "unchanged": 2})
    );

    // Found by the number, renamed; the telephone number is no column of this file.
    let renamed = post(
        &codex,
        "/api/import/companies",
        "account_number,name\nA-1,Acme Ltd\n",
    )
    .await
    .json();
    assert_eq!((&renamed["created"], &renamed["changed"]), (&json!(0), &json!(1)));
    let acme = codex.get("/api/companies?search=acme", &user(Admin)).await.json()["companies"][0].clone();
    assert_eq!(
        (&acme["name"], &acme["phone"]),
        (&json!("Acme Ltd"), &json!("+1 555 0100"))
    );
}

#[tokio::test]
async fn contacts_and_assets_find_their_company_by_name_or_number() {
    let codex = codex().await;
    let companies = "name,account_number\nAcme,A-1\nBeta,B-1\n";
    assert_eq!(post(&codex, "/api/import/companies", companies).await.status, 200);
    let contacts = "company,name,e-mail\nacme,Kim,kim@acme.example\nB-1,Lee,\n";
    assert_eq!(
        post(&codex, "/api/import/contacts", contacts).await.json()["created"],
        2
    );
    let assets = "company,name,kind,assigned_to\nA-1,pc-1,Laptop,KIM@acme.example\nBeta,pc-2,laptop,Lee\nBeta,pc-3,,\n";
    assert_eq!(
        post(&codex, "/api/import/assets", assets).await.json()["created"],
        3
    );
    let found = codex.get("/api/assets?search=pc-1", &user(Admin)).await.json();
    assert_eq!(
        (
            &found["assets"][0]["contact_name"],
            &found["assets"][0]["company_name"]
        ),
        (&json!("Kim"), &json!("Acme"))
    );

    let bad = "company,name,kind,assigned_to\nNowhere,pc-4,car,\nAcme,pc-5,laptop,Lee\n";
    let refused = post(&codex, "/api/import/assets", bad).await;
    assert_eq!(refused.status, 422);
    for (number, line, field) in [(0, 2, "kind"), (1, 2, "company"), (2, 3, "assigned_to")] {
        let error = &refused.json()["errors"][number];
        assert_eq!(
            (&error["line"], &error["field"]),
            (&json!(line), &json!(field)),
            "{}",
            refused.text
        );
    }
    assert_eq!(codex.get("/api/assets", &user(Admin)).await.json()["total"], 3);
}

#[tokio::test]
async fn what_is_exported_cannot_run_in_a_spreadsheet_and_can_be_imported_again() {
    let codex = demo().await;
    let admin = user(Admin);
    for name in [
        "=HYPERLINK(\"http://evil.example\")",
        "+Plus",
        "@At",
        "-Minus",
        "'=Quoted",
    ] {
        create(&codex, name).await;
    }
    for kind in ["companies", "contacts", "assets"] {
        let request = codex.request(Method::GET, &format!("/export/{kind}.csv"), &admin);
        let response = request.send().await.unwrap();
        let disposition = response.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(disposition, format!("attachment; filename=\"{kind}.csv\""));
        assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
        let file = response.text().await.unwrap();
        let cells = file.split(['\n', ',']).map(|cell| cell.trim_start_matches('"'));
        for cell in cells {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
        let imported = post(&codex, &format!("/api/import/{kind}"), file.clone()).await;
        assert_eq!(imported.status, 200, "{}", imported.text);
        let report = imported.json();
        assert_eq!(
            (&report["created"], &report["changed"]),
            (&json!(0), &json!(0)),
            "{file}"
        );
        assert!(report["unchanged"].as_i64() > Some(14), "{report}");
    }
}

#[tokio::test]
async fn thousands_of_rows_go_in_and_come_out_as_they_were() {
    let codex = codex().await;
    let rows: Vec<String> = (0..2300)
        .map(|number| format!("Company {number:04},C-{number}\n"))
        .collect();
    let file = format!("name,account_number\n{}", rows.concat());
    assert_eq!(
        post(&codex, "/api/import/companies", file).await.json()["created"],
        2300
    );
    let exported = codex.get("/export/companies.csv", &user(Admin)).await.text;
    assert_eq!(exported.lines().count(), 2301);
    assert!(
        exported.starts_with("\u{feff}id,name,account_number"),
        "{}",
        &exported[..80]
    );
    for number in [0, 499, 500, 501, 2299] {
        assert_eq!(
            exported
                .matches(&format!(",Company {number:04},C-{number},"))
                .count(),
            1,
            "{number}"
        );
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_in_one_sentence() {
    let codex = codex().await;
    for (csv, told) in [
        (&b""[..], "The file is empty."),
        (b"name\nM\xfcller\n", "This is not UTF-8."),
        (b"\x50\x4b\x03\x04\x14\x00\x06\x00\xff", "This is not UTF-8."),
        (b"colour,name\nred,Acme\n", "There is no column “colour”"),
        (b"phone\n112\n", "The column name is missing."),
    ] {
        let refused = post(&codex, "/api/import/companies", csv).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text.contains(told), "no {told} in {}", refused.text);
    }
    assert_eq!(post(&codex, "/api/import/ships", "name\nA\n").await.status, 404);
    let large = post(&codex, "/api/import/companies", vec![b'x'; 9 * 1024 * 1024]).await;
    assert_eq!(large.status, 413);
    for fields in [&[("kind", "companies")][..], &[("text", "name\nA\n")]] {
        let refused = import(&codex, &user(Admin), fields).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text.contains("Nothing was imported."), "{}", refused.text);
    }
}

//! One service calls another behind the gateway: in its own name, under the request's id.

use hivematrix_tests::Stack;

#[tokio::test]
async fn a_service_shows_what_another_told_it_to_those_who_may_see_it() {
    let stack = Stack::start().await;
    let technician = stack.signed_in("technician").await;
    let page = technician.navigate("/template/companies").await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("The first "), "{}", page.text());
    assert!(
        page.text().contains("hivematrix-side-panel"),
        "it is composed like any page"
    );

    let client = stack.signed_in("client").await;
    let refused = client.navigate("/template/companies").await;
    assert_eq!(
        refused.status, 403,
        "what Template may know, not all of its users may"
    );
}

//! What it costs to believe a token, to refuse one, and to read identifiers.

use std::hint::black_box;

use hivematrix_benches::sessions::Authority;
use hivematrix_platform::{Handle, SessionId, TokenError, unix_now};

use crate::Criterion;

pub(crate) fn measure(criterion: &mut Criterion) {
    verification(criterion);
    identifiers(criterion);
}

fn verification(criterion: &mut Criterion) {
    let runtime = crate::runtime();
    let authority = Authority::new();
    let session = SessionId::generate();
    let token = authority.token(&session);
    // Signed by a key of the same name that is another one.
    let forged = Authority::new().token(&session);
    let (_, signed) = token.split_once('.').expect("a token");
    let unsigned = format!("eyJhbGciOiJub25lIn0.{signed}");
    let now = unix_now();
    let mut group = criterion.benchmark_group("token/verify");
    let cases = [
        ("good", &token, now, None),
        ("expired", &token, now + 3601, Some(TokenError::Expired)),
        ("forged", &forged, now, Some(TokenError::Signature)),
        ("other_algorithm", &unsigned, now, Some(TokenError::Algorithm)),
    ];
    for (name, token, now, refusal) in cases {
        let verifier = &authority.verifier;
        assert_eq!(
            runtime.block_on(verifier.user(token, now)).err(),
            refusal,
            "{name}"
        );
        group.bench_function(name, |bencher| {
            bencher
                .to_async(&runtime)
                .iter(|| verifier.user(black_box(token), now));
        });
    }
    group.finish();
}

fn identifiers(criterion: &mut Criterion) {
    let handle = Handle::generate();
    let (text, session) = (handle.encode(), SessionId::generate());
    let mut group = criterion.benchmark_group("token/parse");
    group.bench_function("session_id", |bencher| {
        bencher.iter(|| SessionId::parse(black_box(session.as_str())))
    });
    group.bench_function("handle", |bencher| {
        bencher.iter(|| Handle::parse(black_box(&text)))
    });
    group.bench_function("handle_key", |bencher| bencher.iter(|| black_box(&handle).key()));
    group.finish();
}

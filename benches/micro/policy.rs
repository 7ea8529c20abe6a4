//! What it costs to decide on edits and to correct the answer's head for them, under several content security
//! policies. `none` is the yardstick: the same answer without one.

use std::hint::black_box;

use hivematrix_benches::browser::{self, Ask};
use hivematrix_benches::chains::{Plugins, way_in};
use http::HeaderName;
use http::header::{CONTENT_SECURITY_POLICY as ENFORCED, CONTENT_SECURITY_POLICY_REPORT_ONLY as REPORTED};

use crate::Criterion;

const STRICT: &str = "default-src 'none'; img-src 'self' data:; font-src 'self'; form-action 'self'; \
    script-src https://cdn.example/lib/; style-src https://cdn.example/css/; connect-src https://api.example; \
    frame-ancestors 'none'; base-uri 'none'; object-src 'none'";
const NONCE: &str = "default-src 'self'; script-src 'nonce-2726c7f26c' 'strict-dynamic'; \
    style-src 'nonce-2726c7f26c'; object-src 'none'; base-uri 'none'";
const HASHES: &str = "default-src 'none'; script-src 'strict-dynamic' \
    'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='; style-src 'self'; connect-src 'self'";

/// Headers with the policies in them.
type Policies<'a> = &'a [(HeaderName, &'static str)];

pub(crate) fn measure(criterion: &mut Criterion) {
    // With whether the policy has to grow: a nonce is taken over by the inserted tags instead.
    let cases: [(&str, Policies<'_>, bool); 6] = [
        ("none", &[], false),
        (
            "already_allowed",
            &[(ENFORCED, "default-src 'self'; object-src 'none'")],
            false,
        ),
        ("strict", &[(ENFORCED, STRICT)], true),
        ("strict_twice", &[(ENFORCED, STRICT), (REPORTED, STRICT)], true),
        ("nonce", &[(ENFORCED, NONCE)], false),
        ("hashes", &[(ENFORCED, HASHES)], true),
    ];
    let runtime = crate::runtime();
    let (chain, ask) = (Plugins::Composition.chain(), Ask::document());
    let mut group = criterion.benchmark_group("policy");
    for (name, policies, grows) in cases {
        let prepared = || {
            let head = browser::page_head(23_000, policies);
            (runtime.block_on(way_in(&chain, &ask)), head)
        };
        let (mut visits, mut head) = prepared();
        assert!(visits.rewriter(&mut head).is_some(), "an editable page");
        for (header, sent) in policies {
            let grown = head.headers.get(header).is_none_or(|value| value != sent);
            assert_eq!(grown, grows, "{name}: {:?}", head.headers.get(header));
        }
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                prepared,
                |(mut visits, mut head)| {
                    black_box(visits.rewriter(&mut head));
                    (visits, head)
                },
                crate::BATCH,
            );
        });
    }
    group.finish();
}

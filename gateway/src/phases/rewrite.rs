//! Rewrite: each chunk of a document passes the plugins' edits, which share one rewriter.

use bytes::Bytes;

use crate::context::Context;

/// Edits one chunk in place. After the last edit chunks pass uncopied.
pub(crate) fn chunk(body: &mut Option<Bytes>, end: bool, context: &mut Context) {
    let Some(rewriter) = &mut context.rewriter else {
        return;
    };
    let edited = body.take().map(|chunk| rewriter.push(&chunk));
    if !end {
        *body = edited;
        return;
    }
    let rest = rewriter.finish();
    *body = Some(match edited {
        None => rest,
        Some(edited) if rest.is_empty() => edited,
        Some(edited) => [edited, rest].concat().into(),
    });
}

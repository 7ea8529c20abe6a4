//! Documents and their edits: which answers are documents, what their heads must say afterwards, and how
//! the edits get into a stream of bytes.

pub(crate) mod document;
pub(crate) mod rewriter;
pub(crate) mod validators;

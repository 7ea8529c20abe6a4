//! Documents and their edits: which answers are documents, what their heads must say afterwards, and how
//! the edits get into a stream of bytes.
//!
//! From outside in: `document` decides, `plan` puts the edits together, `rewriter` runs `elements`
//! (selectors, by lol_html) and `splice` (everything before the body). `preamble`, `tokenizer`, `raw`,
//! `foreign` and `attributes` are the part of an HTML parser that a splice needs.

mod attributes;
mod charset;
pub(crate) mod document;
mod elements;
mod foreign;
mod name;
mod plan;
mod preamble;
mod raw;
mod references;
pub(crate) mod rewriter;
mod scout;
mod splice;
mod token;
mod tokenizer;
pub(crate) mod validators;

#[cfg(test)]
mod nasty;
#[cfg(test)]
mod soup;
#[cfg(test)]
mod transparency;

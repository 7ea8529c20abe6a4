//! Services of one's own: how one begins, and the house rules.
//!
//! `new` writes a folder from the templates that are part of this program (`backends/cli/templates`), `lint` reads one.

pub(crate) mod lint;
mod new;
mod registration;
mod templates;

pub(crate) use self::new::New;
pub(crate) use self::registration::Registration;
pub(crate) use self::templates::Flavour;

//! The phases of a request's life, in the order in which `proxy` calls them. Phases never import each
//! other; `cookie`, `credentials`, `location` and `path` are values they share, and no phases.

pub(crate) mod arrive;
pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod cookie;
pub(crate) mod credentials;
pub(crate) mod forward;
pub(crate) mod keep;
pub(crate) mod limit;
pub(crate) mod local;
pub(crate) mod location;
pub(crate) mod path;
pub(crate) mod plugins;
pub(crate) mod provider;
pub(crate) mod resend;
pub(crate) mod respond;
pub(crate) mod rewrite;
pub(crate) mod route;
pub(crate) mod trailers;

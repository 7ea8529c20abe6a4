//! `hivematrix keycloak`, and the platform with a real Keycloak 26 in the place of the development provider.
//!
//! One Keycloak for all cases; each has a realm of its own, made ready by the command itself. Where there is no Keycloak
//! to be had the cases say so and end; with `CI=true` they fail.

mod agents;
mod audit;
mod configure;
mod endings;
mod login;
mod passwords;
mod place;
mod sessions;
mod tokens;

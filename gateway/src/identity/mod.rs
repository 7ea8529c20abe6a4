//! Identity: who is asking, and still? Sessions, login and logout, and what a browser carries for them.
//!
//! Responsible for everything between a cookie and a checked caller. It talks to the session store, to Core
//! and to the identity provider, and to nobody else. Not responsible for what a caller may do (`phases`),
//! nor for pages and status codes; it knows no HTTP server.
//!
//! | what | where |
//! |---|---|
//! | who is this, and still? | [`SessionView`] in `view`, asking in `ask`, changes in `feed`, freshness in `versions` |
//! | whom to admit while nobody can tell | [`Graced`] in `grace` |
//! | streams that must end with their session | [`LiveStream`] in `live` |
//! | signing in | [`Login`] in `login`, its last step in `establish`; attempts in `attempts`, the provider in `oidc`, `endpoints` and `discovery` |
//! | signing out | [`Logout`] in `logout`, what it does to the session in `ending` |
//! | the provider says that somebody was signed out | [`ProviderLogout`] in `provider_logout`, its tokens in `logout_token`, for logins under way `marks` |
//! | a session that is used goes on | [`Renewal`] in `renewal`, the provider's part of it in `refresh`, Core's in `renewed_token` |
//! | forms that came too late | [`KeptForms`] |
//! | what is known of a handle beyond its session | [`Handles`], last use in `presence` |
//! | who has which sessions | [`Directory`] in `directory`, the provider's side in `provider_end` |
//! | what a browser carries | [`cookies`], [`ReturnPath`] |
//! | what the store holds of ours | `record`, lists of a user's sessions in `user_sessions` |

mod access_token;
mod answer;
mod ask;
mod attempts;
mod back_channel;
mod caller;
mod cause;
pub mod cookies;
mod device;
mod directory;
mod discovery;
mod end;
mod ending;
mod endpoints;
mod establish;
mod feed;
mod flight;
mod grace;
mod handles;
mod kept_forms;
mod live;
mod login;
mod login_error;
mod login_refusal;
mod login_settings;
mod logout;
mod logout_token;
mod marks;
mod notice;
mod oidc;
mod password;
mod presence;
mod provider_end;
mod provider_keys;
mod provider_logout;
mod record;
mod refresh;
mod refusals;
mod renewal;
mod renewed_token;
mod return_path;
#[cfg(test)]
mod tests;
mod user_sessions;
mod versions;
mod view;
mod wish;

pub use hivematrix_platform::Handle;

pub use attempts::{AttemptCookie, AttemptCookies, AttemptLimits};
pub use caller::{Identity, Refused};
pub use cause::Cause;
pub use directory::{Directory, Listed, Person, Search};
pub use end::End;
pub use endpoints::CALLBACK_PATH;
pub use grace::Graced;
pub use handles::{Handles, KnownHandle};
pub use kept_forms::{Keeping, KeptForm, KeptForms};
pub use live::{Ended, LiveStream};
pub use login::{Begun, Completed, Login};
pub use login_error::{LoginError, LoginFailed};
pub use login_settings::LoginSettings;
pub use logout::{Logout, SignedOut};
pub use logout_token::LogoutRefused;
pub use presence::Presence;
pub use provider_logout::ProviderLogout;
pub use renewal::{Renewal, RenewalSettings};
pub use return_path::{NotLocal, ReturnPath};
pub use view::{SessionView, ViewSettings};
pub use wish::Wish;

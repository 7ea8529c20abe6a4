//! What the parts of HiveMatrix agree on, each format once: claims and permission levels, tokens and their keys, session
//! records and the stores that keep them, the registry of services, problems, and the clients of Core and Codex.
//!
//! Not here: anything of the proxy (Pingora) and anything of a web framework. The numbered sections that the documentation
//! cites ("platform README §n") are those of this package's `README.md`.

pub mod access;
pub mod claims;
pub mod clock;
pub mod codex_client;
pub mod core_client;
pub mod dotenv;
mod encoding;
pub mod handle;
pub mod http_client;
pub mod permission;
pub mod problem;
pub mod registry;
pub mod seal;
pub mod service_name;
pub mod session;
mod single_flight;
pub mod store;
pub mod token;

pub use access::{Access, Levels};
pub use claims::{Claims, ServiceClaims, UserClaims, UserData};
pub use clock::unix_now;
pub use codex_client::{CodexClient, CodexError, ColorTheme, Preferences, Theme};
pub use core_client::{CoreClient, CoreError};
pub use dotenv::{Binding, Dotenv};
pub use handle::Handle;
pub use permission::{PermissionLevel, UnknownPermissionLevel};
pub use problem::Problem;
pub use registry::{Registry, RegistryEntry, RegistryError, RegistryProblem};
pub use seal::{SealingKeys, SealingKeysError, Unsealed};
pub use service_name::{InvalidServiceName, ServiceName};
pub use session::{InvalidSessionId, Revocation, SessionError, SessionId, SessionRecord, Sessions};
pub use store::{
    Change, Changes, InvalidRedisAddress, MemoryLimits, MemoryStore, RedisAddress, RedisSettings, RedisStore,
    RedisTls, Store, StoreError,
};
pub use token::{
    DecodingKey, InvalidKey, Jwk, Jwks, KeyRing, KeySource, KeysUnavailable, MintError, Minter, RemoteKeys,
    RingError, SigningKey, StaticKeys, TokenError, Verifier,
};

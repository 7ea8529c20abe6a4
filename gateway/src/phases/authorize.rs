//! Authorize: may this caller enter this service? The menu follows the same rule.

use crate::context::Context;
use crate::error::Refusal;

/// Refuses a caller whose permission level the service does not admit.
///
/// # Errors
/// [`Refusal::Forbidden`].
pub(crate) fn authorize(context: &Context) -> Result<(), Refusal> {
    let (Some(route), Some(identity)) = (context.route(), &context.identity) else {
        return Ok(());
    };
    if route.service.access.allows(identity.caller.level()) {
        Ok(())
    } else {
        Err(Refusal::Forbidden {
            reason: "permission",
            public: "You don't have permission to open this service.",
        })
    }
}

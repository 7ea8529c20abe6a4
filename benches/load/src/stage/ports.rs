//! Free ports on loopback.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::BenchError;

/// So many ports that nobody listens on, all different. Somebody could take one before it is used; whoever wanted it then
/// does not start, which is told.
pub(crate) fn free<const N: usize>() -> Result<[u16; N], BenchError> {
    let failed = |error| BenchError::outside("no free port on 127.0.0.1", error);
    let mut ports = [0; N];
    // Held until all are known, so that none is given twice.
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        *port = listener.local_addr().map_err(failed)?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// One such port.
pub(crate) fn one() -> Result<u16, BenchError> {
    free::<1>().map(|[port]| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different() {
        let [a, b, c] = free().unwrap();
        assert!(a != b && b != c && a != c && a > 0, "{a} {b} {c}");
    }
}

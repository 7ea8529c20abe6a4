//! Content-Security-Policy: to come.

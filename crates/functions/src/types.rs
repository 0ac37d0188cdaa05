//! Trino's types and how Arrow carries them.

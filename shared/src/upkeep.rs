//! Housekeeping that any process may run, at any time, more than one at once.

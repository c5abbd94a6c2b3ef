//! Weight files as torch and others write them, read and written.

mod damaged;
mod fixtures;
mod inspection;
mod layouts;
mod reading;
mod writing;

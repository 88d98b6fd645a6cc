//! What the programs share that run the built service under faults: the service as a process, held to this one; chance
//! that a seed decides; folders, and the end on request; the audit, and tables of what came out.

pub mod leash;
pub mod process;
pub mod service;

pub mod audit;

pub mod dice;
pub mod ground;

pub mod table;
pub mod terminal;

//! The flags of `remaining` and `import`.

use std::path::PathBuf;

use clap::Args;

use super::Pools;

/// `remaining`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
The list comes from the database by user, password and query of [import], from the old pool, or from a
CSV file. No user is changed. Names are written to a file only where one is named, and only you can read it.

jane-migrate remaining --pool ID                          count the users who are left, by reason
jane-migrate remaining --pool ID --from users.csv         the same for a list of addresses
jane-migrate remaining --pool ID --names left.csv         also who they are")]
pub struct Remaining {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// A CSV file of the directory's users, instead of the directory itself
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Write the names of the remaining users, and of users who never set a new password, to this file (CSV)
    #[arg(long, value_name = "FILE")]
    pub names: Option<PathBuf>,
    /// Write the old id and the new `sub` of each user in the pool to this file (CSV); needs id_column under [import]
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
}

/// `import`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Without --yes it shows the plan and changes nothing. Users who are in the pool already are left as they
are, so the same command goes on where an earlier run was stopped. Hashes stay in memory and go to Cognito alone.

jane-migrate import --pool ID                             who would be imported, and by which jobs
jane-migrate import --pool ID --yes                       import them, and account for each
jane-migrate remaining --pool ID --names left.csv         the users who are left afterwards")]
pub struct Import {
    /// Which pools.
    #[command(flatten)]
    pub pools: Pools,
    /// Import; without it only the plan is shown
    #[arg(long, short)]
    pub yes: bool,
    /// A CSV file of the directory's users, instead of the directory itself
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Leave out users who would have to set a new password
    #[arg(long)]
    pub no_reset: bool,
    /// Take the lease of another run of this pool, for example of one that was killed
    #[arg(long)]
    pub break_lease: bool,
}

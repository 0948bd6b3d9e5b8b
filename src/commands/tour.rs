//! `sandbox --tour`: the whole life of a migration, each step explained, run and checked. The operator's steps run this same
//! program as a user would; the customers' steps are calls that an app makes. Nothing is simulated, and the tour succeeds
//! only if every step did.

use std::cell::Cell;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, anyhow, bail, ensure};
use jane_migrate_sandbox::{Account, AccountKind, Demo, JaneCall, Sandbox};

use crate::aws::{AwsError, Connection, Customer, Reader};
use crate::error::{Error, Explain, Result};
use crate::observe::{Depth, Scope, observe, unread};
use crate::ui::Ui;
use crate::ui::layout::fill;
use jane_migrate_core::ids::PoolId;
use jane_migrate_core::observed::Observed;
use jane_migrate_core::read::Unread;
use serde_json::Value;

/// What customers choose after *forgot password*. It meets the demo pool's policy.
const NEW_PASSWORD: &str = "Fresh-Start-2026";

/// A customer who never signed in while the window was open, with the password and its hash in the old database.
const LATE: [&str; 3] = [
    "late@example.com",
    "Late-Harvest-9",
    "$2b$04$C6UzMDM.H6dfI/f/IKcEeO9YeIAhs8r5RhhZXyMSsS7fvuBPr7nHK",
];

pub(super) async fn run(
    sandbox: &Sandbox,
    demo: &Demo,
    folder: &Path,
    environment: &[(&'static str, String)],
    ui: &Ui,
    pauses: bool,
) -> Result<ExitCode> {
    let connection = Connection {
        region: sandbox.region().to_owned(),
        profile: None,
        role_arn: None,
        endpoint_url: Some(sandbox.endpoint()),
        timeout: None,
    };
    let keys = [sandbox.account_id(), sandbox.secret_key()];
    let aws = Reader::connect_as(&connection, keys).await;
    let tour = Tour {
        sandbox,
        demo,
        folder,
        environment,
        ui,
        pauses,
        begun: Cell::new(false),
        pool: demo.pool_id.parse().map_err(Error::bug)?,
        customer: Customer::new(&aws),
        aws,
    };
    tour.walk().await.explain(
        "the tour did not go as it should",
        "run it again; if it fails again, please report it with its output",
    )
}

struct Tour<'a> {
    sandbox: &'a Sandbox,
    demo: &'a Demo,
    folder: &'a Path,
    environment: &'a [(&'static str, String)],
    ui: &'a Ui,
    /// Whether to wait for Enter before each chapter.
    pauses: bool,
    /// Whether the first chapter has started.
    begun: Cell<bool>,
    pool: PoolId,
    aws: Reader,
    customer: Customer,
}

impl Tour<'_> {
    async fn walk(&self) -> anyhow::Result<ExitCode> {
        let [password, sso, refused, marketplace] = &self.demo.accounts;
        let before = self.observe().await?;

        self.chapter(
            "The shop",
            "A user pool of its own, with settings of many kinds and two app clients. It knows no customer yet: they are all in Jane's user database. The mobile client signs in with SRP only, which never sends a password, so its customers could not migrate.",
        );
        self.command(&["plan"], 1).await?;
        self.seen("the plan stops at the mobile client, names the flag that opens it, and changed nothing");

        self.chapter(
            "Deploy",
            "One command builds the handler, uploads it, lets only this pool's Cognito invoke it, tries it, opens USER_PASSWORD_AUTH on the mobile client because we say so, and attaches the triggers last: one for migrations, one before and one after a sign-up. The first build takes a minute or two.",
        );
        self.command(&["deploy", "--enable-password-auth", "--yes"], 0)
            .await?;
        self.command(
            &["plan", "--enable-password-auth", "--detailed-exitcode"],
            0,
        )
        .await?;
        self.seen("a second run has nothing to do");

        self.chapter(
            "A customer with a password signs in",
            "The pool does not know the name and asks the handler, the handler asks Jane, the pool keeps the profile and the password. The customer notices nothing.",
        );
        self.migrates_at_sign_in(password).await?;

        self.chapter(
            "A stranger signs up with a customer's address",
            "Sign-up is open in this pool, and the customer has not migrated yet. Before Cognito creates the user it calls the function, which asks Jane.",
        );
        self.cannot_sign_up(refused).await?;

        self.chapter(
            "A new customer signs up",
            "Jane has no account with this address, so the sign-up goes through, and Jane has an account for the new customer.",
        );
        self.signs_up().await?;

        self.chapter(
            "A wrong password and an unknown name",
            "Both get the same response, so it does not reveal who is a customer.",
        );
        self.strangers_learn_nothing(refused).await?;

        self.chapter(
            "A customer who came through Google",
            "This account has no password. A sign-in does not migrate it; *forgot password* does, and the customer chooses a password.",
        );
        self.migrates_by_reset(sso).await?;

        self.chapter(
            "Accounts that stay where they are",
            "Jane may refuse the reset of an SSO account, and an account of the marketplace has no tie to this shop: neither is migrated, whatever is tried.",
        );
        self.stays_away(refused).await?;
        self.stays_away(marketplace).await?;

        self.chapter(
            "Status",
            "How far it has come: read from the function's log, in which no name appears. `--html FILE` writes it as a page with charts.",
        );
        self.command(&["status"], 0).await?;

        self.chapter("Verify", "What CI runs until the window closes.");
        self.command(&["verify"], 0).await?;

        self.chapter(
            "The customers who are left",
            "Some never sign in while the window is open. `remaining` compares the shop's list with the pool, and `import` imports the rest: with the old password where the list has a hash that Cognito accepts.",
        );
        self.imports_the_rest(password, sso).await?;

        self.chapter(
            "Teardown",
            "When all customers have migrated. Some migrated a moment ago, so it asks for --force. It removes the migration and leaves the function for the triggers at sign-ups; --everything removes these too.",
        );
        self.command(&["teardown", "--yes"], 1).await?;
        self.seen("it refused, because customers still migrate");
        self.command(&["teardown", "--yes", "--force"], 0).await?;
        self.seen("the function stays for the triggers at sign-ups, which the shop still needs");
        self.command(&["teardown", "--yes", "--everything"], 0)
            .await?;
        self.left_as_it_was(&before).await?;
        ensure!(
            self.customer
                .sign_in(&self.demo.web_client, &password.email, secret(password))
                .await?,
            "a migrated customer can no longer sign in"
        );
        self.seen("a customer who migrated still signs in, without any of it");

        self.ui.remark(&format!(
            "\n{}\nDeployed, two customers migrated, two refused, one new, verified, one imported, torn down; the pool is as it was.\nNext: `jane-migrate sandbox` to try it yourself, or `jane-migrate init --pool ID` for a pool of yours.",
            self.ui.out.strong.apply_to("The tour is complete.")
        ));
        Ok(ExitCode::SUCCESS)
    }

    fn chapter(&self, title: &str, text: &str) {
        if self.begun.replace(true) && self.pauses {
            // The tour continues whatever is typed, also without an answer.
            let _ = self.ui.ask("Enter for the next chapter", "");
        }
        self.ui.remark(&format!(
            "\n{}\n{}\n",
            self.ui.out.strong.apply_to(format!("== {title}")),
            fill(text, 80, 0, 0)
        ));
    }

    fn seen(&self, what: &str) {
        self.ui
            .say(&format!("  {} {what}", self.ui.out.good.apply_to("seen:")));
    }

    /// Runs this program as an operator does.
    async fn command(&self, arguments: &[&str], expected: i32) -> anyhow::Result<()> {
        let shown = format!("jane-migrate {}", arguments.join(" "));
        self.ui.remark(&format!("$ {shown}"));
        let program = std::env::current_exe().context("failed to find this program")?;
        let status = tokio::process::Command::new(program)
            .args(arguments)
            .args(self.ui.quiet.then_some("--quiet"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await
            .with_context(|| format!("failed to run `{shown}`"))?;
        self.ui.remark("");
        match status.code() {
            Some(code) if code == expected => Ok(()),
            _ => bail!("`{shown}` ended with {status}, expected exit code {expected}"),
        }
    }

    async fn observe(&self) -> anyhow::Result<Observed> {
        let scope = Scope {
            clients: None,
            config: None,
            depth: Depth::Ours {
                left: false,
                judge: false,
            },
        };
        let observed = observe(&self.aws, &self.pool, self.sandbox.region(), scope).await;
        observed.map_err(|error| anyhow!("{error:#}"))
    }

    /// How many requests the directory got about a user.
    fn questions(&self) -> usize {
        [
            JaneCall::UserExists,
            JaneCall::VerifyCredentials,
            JaneCall::UserCanResetPassword,
        ]
        .iter()
        .map(|call| self.sandbox.jane().count(*call))
        .sum()
    }

    async fn sign_in(&self, account: &Account, password: &str) -> Result<bool, AwsError> {
        self.customer
            .sign_in(&self.demo.web_client, &account.email, password)
            .await
    }

    async fn migrates_at_sign_in(&self, account: &Account) -> anyhow::Result<()> {
        let asked = self.questions();
        ensure!(
            self.sign_in(account, secret(account)).await?,
            "{} got no tokens",
            account.email
        );
        self.seen(&format!("{} signed in and got tokens", account.email));
        let (status, attributes) = self
            .aws
            .user(&self.pool, &account.email)
            .await?
            .with_context(|| format!("the pool does not know {}", account.email))?;
        ensure!(status == "CONFIRMED", "{} is {status}", account.email);
        ensure!(
            attributes.get("email_verified").map(String::as_str) == Some("true"),
            "the email is not verified"
        );
        self.seen("the pool knows the customer now: CONFIRMED, email verified, name and phone carried over");
        let user_name = attributes.get("sub").context("the user has no id")?;
        ensure!(
            self.was_told("ensure_external_user_exists", &account.email)
                .as_ref()
                == Some(user_name),
            "Jane does not know the customer's Cognito user name"
        );
        self.seen("Jane knows the customer's Cognito user name");
        let first = self.questions() - asked;
        ensure!(self.sign_in(account, secret(account)).await?, "no tokens");
        ensure!(
            self.questions() - asked == first,
            "the second sign-in asked the directory"
        );
        self.seen(&format!(
            "the first sign-in asked Jane {first} questions, the second none"
        ));
        Ok(())
    }

    /// The Cognito user name in this call's notification to Jane about a customer.
    fn was_told(&self, call: &str, email: &str) -> Option<String> {
        let told = self.sandbox.jane().told().told().into_iter();
        let of = |told: &Value| told["call"] == call && told["body"]["email"] == email;
        let name = told.rev().find(of)?["body"]["external_id"].take();
        name.as_str().map(str::to_owned)
    }

    async fn cannot_sign_up(&self, customer: &Account) -> anyhow::Result<()> {
        let client = &self.demo.web_client;
        let told = self.customer.sign_up(client, &customer.email, NEW_PASSWORD);
        let told = refusal(told.await)?;
        ensure!(
            self.aws.user(&self.pool, &customer.email).await?.is_none(),
            "{} is in the pool",
            customer.email
        );
        self.seen(&format!("the stranger gets: {told}"));
        self.seen("no user was created");
        Ok(())
    }

    async fn signs_up(&self) -> anyhow::Result<()> {
        let (client, email) = (&self.demo.web_client, "new@example.com");
        let confirmed = self.customer.sign_up(client, email, NEW_PASSWORD).await?;
        ensure!(confirmed, "the user is not confirmed");
        self.seen("the user is confirmed without a code, as Jane has it for this app client");
        let (_, attributes) = self
            .aws
            .user(&self.pool, email)
            .await?
            .context("the pool does not know the new customer")?;
        ensure!(
            self.was_told("create_user", email).as_ref() == attributes.get("sub"),
            "Jane has no account for the new customer"
        );
        self.seen("Jane has an account for the new customer, with the Cognito user name");
        ensure!(
            self.customer.sign_in(client, email, NEW_PASSWORD).await?,
            "no tokens"
        );
        self.seen("the new customer signs in");
        Ok(())
    }

    async fn strangers_learn_nothing(&self, known: &Account) -> anyhow::Result<()> {
        let wrong = refusal(self.sign_in(known, "Not-The-Password-1").await)?;
        let stranger = Account::new(AccountKind::Password, "nobody@example.com", None);
        let unknown = refusal(self.sign_in(&stranger, "Not-The-Password-1").await)?;
        ensure!(
            wrong == unknown,
            "a wrong password gets `{wrong}`, an unknown name `{unknown}`"
        );
        self.seen(&format!("both get: {wrong}"));
        Ok(())
    }

    async fn migrates_by_reset(&self, account: &Account) -> anyhow::Result<()> {
        let client = &self.demo.web_client;
        refusal(self.sign_in(account, NEW_PASSWORD).await)?;
        self.seen("the sign-in was refused");
        self.customer
            .forgot_password(client, &account.email)
            .await?;
        let code = self
            .sandbox
            .gateway()
            .code(self.pool.as_str(), &account.email)
            .context("Cognito sent no code")?;
        self.seen("forgot password: the pool knows the customer now and sent a code");
        self.customer
            .confirm_forgot_password(client, &account.email, &code, NEW_PASSWORD)
            .await?;
        ensure!(self.sign_in(account, NEW_PASSWORD).await?, "no tokens");
        self.seen("with the code and a new password the customer is in");
        Ok(())
    }

    async fn stays_away(&self, account: &Account) -> anyhow::Result<()> {
        let password = account.password.as_deref().unwrap_or(NEW_PASSWORD);
        let told = refusal(self.sign_in(account, password).await)?;
        // If the client hides which users exist, Cognito pretends to send a code.
        let _ = self
            .customer
            .forgot_password(&self.demo.web_client, &account.email)
            .await;
        ensure!(
            self.aws.user(&self.pool, &account.email).await?.is_none(),
            "{} was migrated",
            account.email
        );
        self.seen(&format!(
            "{} ({:?}): neither sign-in nor reset migrated it; the answer: {told}",
            account.email, account.kind
        ));
        Ok(())
    }

    /// The list contains customers who have migrated and one who has not.
    async fn imports_the_rest(&self, password: &Account, sso: &Account) -> anyhow::Result<()> {
        let [email, old_password, hash] = LATE;
        let list = format!(
            "email,password_hash\n{},\n{},\n{email},{hash}\n",
            password.email, sso.email
        );
        std::fs::write(self.folder.join("customers.csv"), list)
            .context("failed to write customers.csv")?;
        let from = ["--from", "customers.csv"];
        self.command(&[&["remaining"], &from[..]].concat(), 0)
            .await?;
        self.command(&[&["import", "--yes"], &from[..]].concat(), 0)
            .await?;
        let late = Account::new(AccountKind::Password, email, Some(old_password));
        let asked = self.questions();
        ensure!(self.sign_in(&late, old_password).await?, "no tokens");
        ensure!(self.questions() == asked, "Jane was asked");
        self.seen(&format!(
            "{email} signs in with the old password, and Jane was not asked"
        ));
        Ok(())
    }

    async fn left_as_it_was(&self, before: &Observed) -> anyhow::Result<()> {
        let after = self.observe().await?;
        // Compares the service's descriptions directly, not with this program's own comparison.
        ensure!(
            described(before)? == described(&after)?,
            "the pool is not what it was"
        );
        self.seen("the pool and its clients are what they were, member by member");
        let left = (&after.function, &after.role, &after.log_group);
        ensure!(
            matches!(left, (Ok(None), Ok(None), Ok(None))),
            "something of the migration is left"
        );
        self.seen("no function, role or log group is left");
        Ok(())
    }
}

/// The pool and its clients as JSON, without the date of the last change.
fn described(observed: &Observed) -> anyhow::Result<Vec<Value>> {
    let unread = |why: Unread| anyhow!("{:#}", unread(&observed.names, &why));
    let pool = observed.pool().map_err(unread)?;
    let clients = observed.watched_clients(None).map_err(unread)?;
    let mut documents = vec![pool.document.json().clone()];
    documents.push(observed.mfa().map_err(unread)?.clone());
    documents.extend(clients.iter().map(|client| client.json().clone()));
    for document in &mut documents {
        if let Some(members) = document.as_object_mut() {
            members.remove("LastModifiedDate");
            members.remove("EstimatedNumberOfUsers");
        }
    }
    Ok(documents)
}

/// The demo account's password. Accounts of the sandbox are public.
fn secret(account: &Account) -> &str {
    account.password.as_deref().unwrap_or_default()
}

/// The message that a rejected customer gets.
fn refusal(answer: Result<bool, AwsError>) -> anyhow::Result<String> {
    match answer {
        Ok(_) => bail!("it should have been refused"),
        Err(error) => Ok(format!("{}: {}", error.code, error.message)),
    }
}

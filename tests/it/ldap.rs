//! A shop whose users are in OpenLDAP, from the deploy to the import of those who never signed in.

use serde_json::json;

use crate::import::PASSWORD;
use crate::openldap::{OpenLdap, READER_PASSWORD};
use crate::support::Corner;

fn person(uid: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: Lee\n\
         mail: {uid}@example.com\nuserPassword: {PASSWORD}\n\n"
    )
}

fn configure(corner: &mut Corner, server: &OpenLdap) {
    for name in ["READER_PASSWORD", "EXPORT_PASSWORD"] {
        let variable = (name.into(), READER_PASSWORD.into());
        corner.environment.push(variable);
    }
    let config = format!(
        "[directory]\nkind = \"ldap\"\nurl = \"ldaps://127.0.0.1:{}\"\nbase = \"ou=people,dc=example,dc=com\"\n\
         filter = \"(mail={{username}})\"\nbind_dn = \"cn=reader,dc=example,dc=com\"\n\
         bind_password = {{ env = \"READER_PASSWORD\" }}\nca_certificate = '''{}'''\n\
         [attributes]\nemail = \"mail\"\nemail_verified = \"=true\"\nfamily_name = \"sn\"\n\
         [import]\nuser = \"cn=export,dc=example,dc=com\"\npassword = {{ env = \"EXPORT_PASSWORD\" }}\n\
         filter = \"(objectClass=inetOrgPerson)\"\nusername_column = \"mail\"\nid_column = \"entryUUID\"\n",
        server.port, server.certificate
    );
    corner.write("migrate.toml", &config);
}

#[tokio::test]
async fn customers_in_ldap_migrate_at_sign_in_and_the_rest_is_imported() {
    let people: String = ["ann", "bob", "cyd"].map(person).concat();
    let server = tokio::task::spawn_blocking(move || OpenLdap::start(&people));
    let server = server.await.expect("a server");
    let mut corner = Corner::new().await;
    let (pool, client) = corner.shop().await;
    configure(&mut corner, &server);
    corner.deploy(&pool).await;
    assert!(corner.can_sign_in(&client, "ann@example.com").await);
    assert!(!corner.can_sign_in(&client, "eve@example.com").await);

    let remaining = ["remaining", "--pool", &pool, "--json"];
    let counted = corner.run(&remaining).await.ended(0).json();
    assert_eq!(
        (&counted["migrated"], &counted["remaining"]),
        (&json!(1), &json!(2)),
        "{counted}"
    );
    let import = ["import", "--pool", &pool, "--yes", "--json"];
    let done = corner.run(&import).await.ended(0).json();
    assert_eq!(done["after"]["remaining"], 0, "{done}");
    assert_eq!(done["with_password"], 0, "LDAP lists no hashes: {done}");

    let teardown = ["teardown", "--pool", &pool, "--yes", "--force"];
    corner.run(&teardown).await.ended(0);
    assert!(corner.can_sign_in(&client, "ann@example.com").await);
    // The password of an imported user stays with the old directory.
    assert!(!corner.can_sign_in(&client, "bob@example.com").await);
    let status = corner.status_of(&pool, "bob@example.com").await;
    assert_eq!(status, "RESET_REQUIRED");
}

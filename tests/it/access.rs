//! Whose credentials: all the ways to come by them, and what is said when they do not do.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use cloudtarn_testkit::{Class, Fault, Role, StsServer};

use crate::program::{Ended, text};
use crate::served::{BUCKET, Served, output, with_bucket};

const ROLE: &str = "arn:aws:iam::222233334444:role/log-reader";

fn role(served: &Served, key: usize) -> Role {
    Role {
        arn: ROLE.to_owned(),
        callers: vec![served.server.access_key().to_owned()],
        keys: vec![served.server.other_access_keys()[key].to_owned()],
        secret: served.server.secret_key().to_owned(),
        lives: Duration::from_secs(3600),
        ..Role::default()
    }
}

/// The program with a configuration file and these arguments.
async fn configured(served: &Served, config: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    fs::write(served.folder.path().join("config"), config).unwrap();
    let source = format!("s3://{BUCKET}");
    let mut command = served.bare(&["ingest", &source, "--store", text(&served.store())]);
    command.args(arguments).envs(variables.iter().copied());
    output(command).await
}

fn well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[test]
fn profiles_processes_and_keys_in_files() {
    with_bucket(200, async |served| {
        let (id, secret) = (served.server.access_key(), served.server.secret_key());
        let keys = format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        let script = served.folder.path().join("process.sh");
        let json = format!(r#"{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}"}}"#);
        fs::write(&script, format!("echo '{json}'\n")).unwrap();
        let process = format!("credential_process = sh {}\n", text(&script));
        let config = format!(
            "[default]\n{keys}\n[profile process]\n{process}\n[profile wrong]\n{}",
            keys.replace("testkit", "x")
        );
        well(&configured(served, &config, &[], &[]).await);
        served.assert_whole();
        well(&configured(served, &config, &["--profile", "process"], &[]).await);
        well(&configured(served, &config, &[], &[("AWS_PROFILE", "process")]).await);
        // A profile that is asked for wins over the environment.
        let environment = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        let ended = configured(served, &config, &["--profile", "wrong"], &environment).await;
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert!(ended.err.contains("SignatureDoesNotMatch") && !ended.err.contains(secret), "{}", ended.err);
        let ended = configured(served, &config, &["--profile", "nobody"], &[]).await;
        assert!(ended.code == Some(1) && ended.err.contains("nobody"), "{}", ended.err);
        let ended = configured(served, "", &[], &[]).await;
        assert!(ended.code == Some(1) && ended.err.contains("no usable AWS credentials"), "{}", ended.err);
    });
}

#[test]
fn roles_with_external_id_and_session_name() {
    with_bucket(200, async |served| {
        let demanding = Role { external_id: Some("4711".to_owned()), ..role(served, 0) };
        let sts = StsServer::start("111122223333", vec![demanding]).await.unwrap();
        let ingest = async |arguments: &[&str]| {
            let mut command = served.command(arguments);
            command.env("AWS_ENDPOINT_URL_STS", sts.endpoint());
            output(command).await
        };
        let ended = ingest(&["--role-arn", ROLE]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        for part in ["sts:AssumeRole", ROLE, "trust policy", "sts:ExternalId"] {
            assert!(ended.err.contains(part), "no `{part}` in\n{}", ended.err);
        }
        well(&ingest(&["--role-arn", ROLE, "--external-id", "4711", "--session-name", "case-7"]).await);
        served.assert_whole();
        well(&ingest(&["--role-arn", ROLE, "--external-id", "4711"]).await);
        assert_eq!(sts.sessions(), ["case-7", "cloudtarn"]);
    });
}

#[test]
fn role_chains_mfa_and_profiles_that_ask_for_it() {
    with_bucket(200, async |served| {
        let serial = "arn:aws:iam::111122223333:mfa/analyst";
        let others = served.server.other_access_keys();
        let first = Role { mfa: Some((serial.to_owned(), "123456".to_owned())), ..role(served, 0) };
        let second = Role {
            arn: "arn:aws:iam::333344445555:role/archive".to_owned(),
            callers: vec![others[0].to_owned()],
            external_id: Some("x".to_owned()),
            ..role(served, 1)
        };
        let second_arn = second.arn.clone();
        let sts = StsServer::start("111122223333", vec![first, second]).await.unwrap();
        // Only who has come through both roles is let in.
        served.server.faults().expire(served.server.access_key());
        served.server.faults().expire(others[0]);
        let chain = ["--role-arn", ROLE, "--role-arn", &second_arn, "--external-id", "x", "--mfa-serial", serial];
        let mut command = served.command(&chain);
        command.args(["--mfa-code", "123456"]).env("AWS_ENDPOINT_URL_STS", sts.endpoint());
        well(&output(command).await);
        served.assert_whole();
        let mut command = served.command(&chain);
        command.args(["--mfa-code", "000000"]).env("AWS_ENDPOINT_URL_STS", sts.endpoint());
        assert_eq!(output(command).await.code, Some(1));

        served.server.faults().clear();
        let (id, secret) = (served.server.access_key(), served.server.secret_key());
        let config = format!(
            "[profile base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\
             [profile reader]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = {serial}\nrole_session_name = from-profile\n"
        );
        let variables = [("AWS_ENDPOINT_URL_STS", sts.endpoint())];
        well(&configured(served, &config, &["--profile", "reader", "--mfa-code", "123456"], &variables).await);
        assert_eq!(sts.sessions().last().map(String::as_str), Some("from-profile"));
    });
}

#[test]
fn credentials_that_end_in_the_middle_are_renewed() {
    with_bucket(3_000, async |served| {
        let others = served.server.other_access_keys();
        let (first, second) = (others[0], others[1]);
        let short = Role { keys: vec![first.to_owned(), second.to_owned()], ..role(served, 0) };
        let sts = StsServer::start("111122223333", vec![short]).await.unwrap();
        let mut command = served.command(&["--role-arn", ROLE, "--max-requests", "2"]);
        command.env("AWS_ENDPOINT_URL_STS", sts.endpoint());
        served.server.faults().set_latency(Class::Get, Duration::from_millis(5));
        let running = tokio::spawn(output(command));
        while served.server.faults().seen(Class::Get) < 3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        served.server.faults().expire(first);
        let ended = running.await.unwrap();
        well(&ended);
        assert!(ended.err.contains("credentials renewed"), "{}", ended.err);
        assert_eq!(sts.sessions().len(), 2);
        served.assert_whole();
    });
}

#[test]
fn who_may_read_one_prefix_only_still_ingests() {
    with_bucket(0, async |served| {
        let mine = crate::served::key("111122223333", "us-east-1", 9, "mine");
        served.memory.put(BUCKET, &mine, crate::served::log_file("mine"));
        let theirs = crate::served::key("444455556666", "us-east-1", 9, "theirs");
        served.memory.put(BUCKET, &theirs, crate::served::log_file("theirs"));
        served.server.faults().allow_only(Class::List, &["prefix=AWSLogs%2F111122223333%2F"]);
        served.server.faults().allow_only(Class::Get, &["/AWSLogs/111122223333/"]);
        // Without being told: STS knows whose credentials these are.
        let sts = StsServer::start("111122223333", Vec::new()).await.unwrap();
        let mut command = served.command(&[]);
        command.env("AWS_ENDPOINT_URL_STS", sts.endpoint());
        let ended = output(command).await;
        well(&ended);
        assert!(
            ended.err.contains("may not be listed; listed s3://archive/AWSLogs/111122223333 instead"),
            "{}",
            ended.err
        );
        assert_eq!(served.count(), "1");
        // By its account or by its prefix, and not at all where neither helps.
        well(&served.ingest(&["--account", "111122223333"]).await);
        let ended = served.ingest(&["--account", "444455556666"]).await;
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        for part in ["access denied", "s3:ListBucket on arn:aws:s3:::archive", "s3://archive/AWSLogs/ACCOUNT/"] {
            assert!(ended.err.contains(part), "no `{part}` in\n{}", ended.err);
        }
    });
}

#[test]
fn refusals_name_the_action_the_resource_and_the_policy() {
    const KMS: &str = "User: arn:aws:sts::111122223333:assumed-role/reader/me is not authorized to perform: kms:Decrypt on \
        resource: arn:aws:kms:eu-west-1:222233334444:key/1234 because no resource-based policy allows the kms:Decrypt action";
    const GET: &str = "User: arn:aws:iam::111122223333:user/me is not authorized to perform: s3:GetObject on resource: \
        \"arn:aws:s3:::archive/x\" because no identity-based policy allows the s3:GetObject action";
    const LIST: &str = "User: arn:aws:iam::111122223333:user/me is not authorized to perform: s3:ListBucket on resource: \
        \"arn:aws:s3:::archive\" with an explicit deny in a service control policy";
    with_bucket(200, async |served| {
        for (class, message, parts) in [
            (
                Class::Get,
                KMS,
                &["kms:Decrypt on arn:aws:kms:eu-west-1:222233334444:key/1234", "look at the key policy of"][..],
            ),
            (
                Class::Get,
                GET,
                &["s3:GetObject on arn:aws:s3:::archive/x", "look at the IAM policies of arn:aws:iam::1"],
            ),
            (Class::List, LIST, &["s3:ListBucket on arn:aws:s3:::archive", "service control policies (SCPs)"]),
        ] {
            served.server.faults().clear();
            served.server.faults().add(class, Fault::Refuse(403, "AccessDenied", message), 1_000);
            let ended = served.ingest(&[]).await;
            assert_eq!(ended.code, Some(if class == Class::Get { 3 } else { 1 }), "{}", ended.err);
            for part in parts {
                assert!(ended.err.contains(part), "no `{part}` in\n{}", ended.err);
            }
        }
        served.server.faults().clear();
        served.ingest_well(&[]).await;
        served.assert_whole();
    });
}

#[test]
fn region_requester_pays_path_style_and_public_buckets() {
    with_bucket(200, async |served| {
        served.server.faults().set_region("ap-southeast-2");
        served.ingest_well(&["--addressing", "path"]).await;
        served.assert_whole();
        served.server.faults().clear();
        served.server.faults().require_payer();
        let ended = served.ingest(&[]).await;
        assert!(ended.code == Some(1), "{}", ended.err);
        served.ingest_well(&["--request-payer"]).await;
        served.server.faults().clear();
        let endpoint = served.server.endpoint().to_owned();
        let source = format!("s3://{BUCKET}");
        let mut command = crate::program::cloudtarn(&[
            "ingest",
            &source,
            "--store",
            text(&served.store()),
            "--endpoint-url",
            &endpoint,
        ]);
        command.arg("--no-sign-request").env("AWS_CONFIG_FILE", Path::new("/nonexistent"));
        let ended = output(command).await;
        // The server wants signatures; the message says that there were none.
        assert!(ended.code == Some(1) && ended.err.contains("requests go unsigned"), "{}", ended.err);
    });
}

/// A server with one answer for each beginning of a path; everything else is not found. It ends with the test's process.
fn canned(answers: Vec<(&'static str, String)>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            let found = answers.iter().find(|(begin, _)| path.starts_with(begin));
            let (status, body) = found.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", body.as_str()));
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    endpoint
}

#[test]
fn containers_instances_web_identities_and_sso() {
    with_bucket(200, async |served| {
        let (id, secret) = (served.server.access_key(), served.server.secret_key());
        let json = format!(
            r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{id}","SecretAccessKey":"{secret}","Token":"t","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}}"#
        );
        let container = canned(vec![("/creds", json.clone())]);
        let uri = format!("{container}/creds");
        well(&configured(served, "", &[], &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri)]).await);
        served.assert_whole();

        let instance = canned(vec![
            ("/latest/api/token", "token".to_owned()),
            ("/latest/meta-data/iam/security-credentials/reader", json.clone()),
            ("/latest/meta-data/iam/security-credentials", "reader".to_owned()),
        ]);
        let variables =
            [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.as_str())];
        well(&configured(served, "", &[], &variables).await);

        let sts = StsServer::start("111122223333", vec![role(served, 0)]).await.unwrap();
        let token = served.folder.path().join("token");
        fs::write(&token, "a web identity").unwrap();
        let variables = [
            ("AWS_ENDPOINT_URL_STS", sts.endpoint()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", text(&token)),
            ("AWS_ROLE_ARN", ROLE),
            ("AWS_ROLE_SESSION_NAME", "web"),
        ];
        well(&configured(served, "", &[], &variables).await);
        assert_eq!(sts.sessions(), ["web"]);

        let sso = canned(vec![(
            "/federation/credentials",
            format!(
                r#"{{"roleCredentials":{{"accessKeyId":"{id}","secretAccessKey":"{secret}","sessionToken":"t","expiration":4070908800000}}}}"#
            ),
        )]);
        let start = "https://example.awsapps.com/start";
        let cache = served.folder.path().join(".aws/sso/cache");
        fs::create_dir_all(&cache).unwrap();
        // The file's name is the SHA-1 of the start URL.
        let text_of = format!(
            r#"{{"accessToken":"t","expiresAt":"2099-01-01T00:00:00Z","region":"us-east-1","startUrl":"{start}"}}"#
        );
        fs::write(cache.join("e8be5486177c5b5392bd9aa76563515b29358e6e.json"), text_of).unwrap();
        let config = format!(
            "[profile sso]\nsso_start_url = {start}\nsso_region = us-east-1\nsso_account_id = 111122223333\nsso_role_name = reader\n"
        );
        let variables = [("HOME", text(served.folder.path())), ("AWS_ENDPOINT_URL_SSO", sso.as_str())];
        well(&configured(served, &config, &["--profile", "sso"], &variables).await);
        // Who has not logged in is told to.
        fs::remove_dir_all(&cache).unwrap();
        let ended = configured(served, &config, &["--profile", "sso"], &variables).await;
        assert!(ended.code == Some(1) && ended.err.contains("aws sso login"), "{}", ended.err);
    });
}

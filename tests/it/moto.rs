//! Against moto, which has S3, STS and IAM and enforces policies: the answers of another hand than ours.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::program::{Ended, cloudtarn, ended, rows, text};
use crate::served::{key, log_file};

const PACKAGES: [&str; 4] = ["moto[s3,iam]==5.2.5", "flask", "flask-cors", "boto3"];

/// Python's packages for tests, made once and kept under `target/`.
fn environment() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = folder.join("moto-5.2.5");
    // Test processes that run at the same time wait for the one that makes it.
    let lock = File::create(folder.join("moto.lock")).unwrap();
    lock.lock().unwrap();
    let done = environment.join("done");
    if !done.exists() {
        let _ = fs::remove_dir_all(&environment);
        let made = Command::new("python3").args(["-m", "venv", text(&environment)]).status().unwrap();
        assert!(made.success(), "python3 with its venv module is needed for this test");
        let mut install = Command::new(environment.join("bin/pip"));
        let installed =
            install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES).status().unwrap();
        assert!(installed.success(), "the packages could not be fetched");
        fs::write(done, "").unwrap();
    }
    environment
}

struct Moto {
    server: Child,
    endpoint: String,
    environment: PathBuf,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Moto {
    fn start() -> Self {
        let environment = environment();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Command::new(environment.join("bin/moto_server"));
        server.args(["-H", "127.0.0.1", "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let moto = Self { server: server.spawn().unwrap(), endpoint: format!("http://127.0.0.1:{port}"), environment };
        for _ in 0..1200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return moto;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("moto does not answer");
    }

    /// Runs a script with clients of `s3`, `iam` and `sts`, and gives what it prints.
    fn script(&self, lines: &str) -> String {
        let preamble = format!(
            "import boto3, json, urllib.request\n\
             client = lambda name: boto3.client(name, endpoint_url='{0}', region_name='us-east-1',\n\
             \u{20}   aws_access_key_id='x', aws_secret_access_key='x')\n\
             s3, iam, sts = client('s3'), client('iam'), client('sts')\n\
             def enforce():\n\
             \u{20}   urllib.request.urlopen(urllib.request.Request('{0}/moto-api/reset-auth', b'0', {{'Content-Type': 'text/plain'}}, method='POST')).read()\n",
            self.endpoint
        );
        let mut python = Command::new(self.environment.join("bin/python"));
        python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = python.spawn().unwrap();
        running.stdin.take().unwrap().write_all((preamble + lines).as_bytes()).unwrap();
        let ended = ended(running.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended.out
    }

    fn ingest(&self, store: &Path, keys: (&str, &str), arguments: &[&str]) -> Ended {
        let mut command = cloudtarn(&["ingest", "s3://archive", "--store", text(store)]);
        command.args(arguments);
        command.env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", keys.0).env("AWS_SECRET_ACCESS_KEY", keys.1);
        ended(command.output().unwrap())
    }
}

#[test]
fn a_role_opens_the_bucket_that_its_user_may_not_read() {
    let moto = Moto::start();
    let folder = tempfile::tempdir().unwrap();
    let keys = ["one", "two", "three"].map(|name| key("111122223333", "us-east-1", 9, name));
    let mut lines = "s3.create_bucket(Bucket='archive')\n".to_owned();
    for (index, key) in keys.iter().enumerate() {
        let body = folder.path().join(index.to_string());
        fs::write(&body, log_file(&format!("event-{index}"))).unwrap();
        lines += &format!("s3.put_object(Bucket='archive', Key='{key}', Body=open('{}', 'rb').read())\n", text(&body));
    }
    lines += "
allow = lambda action, resource: json.dumps({'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Action': action, 'Resource': resource}]})
trust = json.dumps({'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Principal': {'AWS': 'arn:aws:iam::123456789012:user/analyst'}, 'Action': 'sts:AssumeRole'}]})
iam.create_user(UserName='analyst')
iam.put_user_policy(UserName='analyst', PolicyName='p', PolicyDocument=allow('sts:AssumeRole', '*'))
role = iam.create_role(RoleName='log-reader', AssumeRolePolicyDocument=trust)['Role']['Arn']
iam.put_role_policy(RoleName='log-reader', PolicyName='p',
    PolicyDocument=allow(['s3:ListBucket', 's3:GetObject'], ['arn:aws:s3:::archive', 'arn:aws:s3:::archive/*']))
made = iam.create_access_key(UserName='analyst')['AccessKey']
print(role, made['AccessKeyId'], made['SecretAccessKey'])
enforce()
";
    let printed = moto.script(&lines);
    let [role, id, secret] = printed.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{printed}") };
    let store = folder.path().join("store");
    let refused = moto.ingest(&store, (id, secret), &[]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("access denied") && refused.err.contains("s3:ListBucket"), "{}", refused.err);
    let read = moto.ingest(&store, (id, secret), &["--role-arn", role]);
    assert_eq!(read.code, Some(0), "{}", read.err);
    assert_eq!(rows(&store, "SELECT eventID FROM $EDS_ID ORDER BY 1"), ["event-0", "event-1", "event-2"]);
    let again = moto.ingest(&store, (id, secret), &["--role-arn", role, "--full"]);
    assert!(again.err.contains("\n0 records read"), "{}", again.err);
    let wrong = moto.ingest(&store, (id, "wrong-secret-of-nobody"), &["--role-arn", role]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.err);
    assert!(!wrong.err.contains("wrong-secret-of-nobody"), "{}", wrong.err);
}

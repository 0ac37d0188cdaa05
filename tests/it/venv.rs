//! Python with the AWS CLI and boto3, from PyPI, made once a target folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed; another list makes another environment.
const PACKAGES: [&str; 4] = ["awscli==1.46.3", "boto3==1.44.5", "botocore==1.44.5", "rsa==4.7.2"];

/// The environment's folder. The first test that asks makes it, in whatever process; the others wait.
pub(crate) fn folder() -> PathBuf {
    // target/debug/cloudtarn stands in the target folder.
    let target = Path::new(env!("CARGO_BIN_EXE_cloudtarn")).ancestors().nth(2).unwrap();
    let name = PACKAGES.join("-").replace("==", "-");
    let venv = target.join("venvs").join(name);
    let ready = venv.join("ready");
    fs::create_dir_all(venv.parent().unwrap()).unwrap();
    let lock = File::create(venv.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !ready.exists() {
        let _ = fs::remove_dir_all(&venv);
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let pip = venv.join("bin/pip");
        let mut last = None;
        // A registry may falter.
        for _ in 0..3 {
            let mut install = Command::new(&pip);
            install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
            let output = install.output().unwrap();
            if output.status.success() {
                File::create(&ready).unwrap();
                return venv;
            }
            last = Some(output);
        }
        panic!("pip could not install {PACKAGES:?}: {last:?}");
    }
    venv
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; the tests need python3"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A command of the environment that knows nothing of this machine's AWS configuration.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(folder().join("bin").join(program));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

//! The API calls that the generator knows: who makes them, how often, and what their parts look like.

use crate::template::Template;

/// Classes of callers; a call names those that make it.
pub(crate) const HUMAN: u16 = 1;
pub(crate) const DEPLOY: u16 = 2;
pub(crate) const APP: u16 = 4;
pub(crate) const MONITOR: u16 = 8;
pub(crate) const SERVICE: u16 = 16;
pub(crate) const USER: u16 = 32;
pub(crate) const ROOT: u16 = 64;
/// Tokens of an OIDC provider exchanged for a role.
pub(crate) const WEB: u16 = 128;
/// SAML assertions exchanged for a role.
pub(crate) const SAML: u16 = 256;
/// People in IAM Identity Center, before they have a role.
pub(crate) const DIRECTORY: u16 = 512;

/// How a record came about; it decides eventType, managementEvent and eventCategory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Api,
    Data,
    SignIn,
    Service,
}

/// One API call, its parts parsed.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) weight: u32,
    pub(crate) who: u16,
    pub(crate) version: &'static str,
    /// The service's name before `.amazonaws.com`.
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) read_only: bool,
    pub(crate) origin: Origin,
    pub(crate) request: Template,
    pub(crate) response: Template,
    pub(crate) resources: Option<Template>,
    pub(crate) additional: Option<Template>,
    pub(crate) details: Option<Template>,
    pub(crate) api_version: Option<&'static str>,
    /// Error code and message that this call fails with now and then, where it is not a refusal.
    pub(crate) error: Option<(&'static str, Template)>,
    /// The record is large: its repeated part fills the bytes that the profile asks for.
    pub(crate) large: bool,
}

/// A call that reads, at eventVersion 1.11, without answer or resources.
pub(crate) fn read(weight: u32, who: u16, service: &'static str, name: &'static str, request: &str) -> Call {
    Call {
        weight,
        who,
        version: "1.11",
        service,
        name,
        read_only: true,
        origin: Origin::Api,
        request: Template::parse(request),
        response: Template::parse("null"),
        resources: None,
        additional: None,
        details: None,
        api_version: None,
        error: None,
        large: false,
    }
}

/// A call that changes something and answers with `response`.
pub(crate) fn change(
    weight: u32,
    who: u16,
    service: &'static str,
    name: &'static str,
    request: &str,
    response: &str,
) -> Call {
    Call { read_only: false, response: Template::parse(response), ..read(weight, who, service, name, request) }
}

impl Call {
    fn answers(self, response: &str) -> Self {
        Self { response: Template::parse(response), ..self }
    }
    pub(crate) fn on(self, resources: &str) -> Self {
        Self { resources: Some(Template::parse(resources)), ..self }
    }
    pub(crate) fn with(self, additional: &str) -> Self {
        Self { additional: Some(Template::parse(additional)), ..self }
    }
    pub(crate) fn version(self, version: &'static str) -> Self {
        Self { version, ..self }
    }
    fn api(self, api_version: &'static str) -> Self {
        Self { api_version: Some(api_version), ..self }
    }
    fn fails(self, code: &'static str, message: &str) -> Self {
        Self { error: Some((code, Template::parse(message))), ..self }
    }
    pub(crate) fn origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }
    fn large(self) -> Self {
        Self { large: true, ..self }
    }
}

/// Additional data of S3 data events; byte counts are floats there.
const S3_DATA: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0.0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<b64_75>=","bytesTransferredOut":<fbytes>}"#;
const S3_PUT: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":<fbytes>,"SSEApplied":"SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"<b64_75>=","bytesTransferredOut":0.0}"#;
const S3_MANAGE: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<b64_75>=","bytesTransferredOut":<n900>}"#;
const S3_OBJECT: &str = r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<object>"},{"accountId":"<acct>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#;
pub(crate) const S3_BUCKET: &str = r#"[{"accountId":"<acct>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#;
const KMS_KEY: &str =
    r#"[{"accountId":"<acct>","type":"AWS::KMS::Key","ARN":"arn:aws:kms:<region>:<acct>:key/<kms>"}]"#;
const ROLE: &str = r#"[{"accountId":"<acct>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<acct>:role/<role>"}]"#;
const FILTERS: &str = r#"{"maxResults":1000,"filterSet":{"items":[{"name":"tag:app","valueSet":{"items":[{"value":"<app>"}]}},{"name":"vpc-id","valueSet":{"items":[{"value":"<vpc>"}]}}]}}"#;
const CREDENTIALS: &str = r#""credentials":{"accessKeyId":"ASIA<key9>EXAMPLE","sessionToken":"IQoJb3JpZ2luX2VjE<b64_380>==","expiration":"<date>"}"#;
const ASSUMED: &str = r#""assumedRoleUser":{"assumedRoleId":"AROA<key10>EXAMPLE:<app>-session","arn":"arn:aws:sts::<acct>:assumed-role/<role>/<app>-session"}"#;

/// Every call of ordinary traffic. Weights are shares within a class of callers.
pub(crate) fn calls() -> Vec<Call> {
    let mut all = storage();
    all.extend(identity());
    all.extend(compute());
    all.extend(platform());
    all.extend(large());
    all
}

fn storage() -> Vec<Call> {
    let crypto = r#"{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::<bucket>/<object>"},"keyId":"arn:aws:kms:<region>:<acct>:key/<kms>","encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#;
    let generate = r#"{"encryptionContext":{"aws:cloudtrail:arn":"arn:aws:cloudtrail:<region>:<acct>:trail/management-events","aws:s3:arn":"arn:aws:s3:::<bucket>/AWSLogs/<acct>/CloudTrail/<region>/<acct>_CloudTrail_<region>_<key16>.json.gz"},"keyId":"arn:aws:kms:<region>:<acct>:key/<kms>","keySpec":"AES_256"}"#;
    let delivered = r#"{"bucketName":"<bucket>","x-amz-acl":"bucket-owner-full-control","x-amz-server-side-encryption-context":"eyJhd3M6Y2xvdWR0cmFpbDphcm4iOiJhcm46YXdzOmNsb3VkdHJhaWw6dXMtZWFzdC0xIn0\u003d","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:<region>:<acct>:key/<kms>","Host":"<bucket>.s3.<region>.amazonaws.com","x-amz-server-side-encryption":"aws:kms","key":"<object>"}"#;
    let stored = r#"{"x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:<region>:<acct>:key/<kms>","x-amz-server-side-encryption":"aws:kms","x-amz-expiration":"expiry-date=\"Sun, 31 May 2026 00:00:00 GMT\", rule-id=\"<bucket>\""}"#;
    let object = r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<object>"}"#;
    let put = r#"{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<object>","x-amz-server-side-encryption":"aws:kms","x-amz-storage-class":"STANDARD"}"#;
    let secret = r#"{"secretId":"arn:aws:secretsmanager:<region>:<acct>:secret:<secret>"}"#;
    let flag =
        |name: &str| format!(r#"{{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","{name}":""}}"#);
    vec![
        read(150, APP | USER, "s3", "GetObject", object).origin(Origin::Data).with(S3_DATA).on(S3_OBJECT).fails("NoSuchKey", "The specified key does not exist."),
        read(24, APP, "s3", "HeadObject", object).origin(Origin::Data).with(S3_DATA).on(S3_OBJECT).fails("NotFound", "Not Found"),
        change(60, APP, "s3", "PutObject", put, stored).origin(Origin::Data).with(S3_PUT).on(S3_OBJECT),
        change(12, APP, "s3", "DeleteObject", object, "null").origin(Origin::Data).with(S3_DATA).on(S3_OBJECT),
        read(20, APP | USER, "s3", "ListObjects", r#"{"list-type":"2","bucketName":"<bucket>","prefix":"raw/<app>/","max-keys":"1000","Host":"<bucket>.s3.<region>.amazonaws.com"}"#)
            .origin(Origin::Data)
            .with(S3_DATA)
            .on(r#"[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::<bucket>/"},{"accountId":"<acct>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}]"#),
        change(60, SERVICE, "s3", "PutObject", delivered, stored).origin(Origin::Data).with(S3_PUT).on(S3_OBJECT),
        read(70, SERVICE | MONITOR, "s3", "GetBucketAcl", &flag("acl")).with(S3_MANAGE).on(S3_BUCKET),
        read(18, MONITOR | HUMAN, "s3", "GetBucketPolicy", &flag("policy")).with(S3_MANAGE).on(S3_BUCKET).fails("NoSuchBucketPolicy", "The bucket policy does not exist"),
        read(16, MONITOR | HUMAN, "s3", "GetBucketPublicAccessBlock", &flag("publicAccessBlock")).with(S3_MANAGE).on(S3_BUCKET),
        read(14, MONITOR, "s3", "GetBucketEncryption", &flag("encryption")).with(S3_MANAGE).on(S3_BUCKET),
        read(12, MONITOR | HUMAN, "s3", "GetBucketLocation", r#"{"bucketName":"<bucket>","location":[""],"Host":"<bucket>.s3.<region>.amazonaws.com"}"#).with(S3_MANAGE).on(S3_BUCKET),
        read(8, MONITOR | HUMAN | USER | ROOT, "s3", "ListBuckets", r#"{"Host":"s3.<region>.amazonaws.com"}"#).with(S3_MANAGE),
        change(3, DEPLOY, "s3", "PutBucketPolicy", r#"{"bucketPolicy":{"Version":"2012-10-17","Statement":[{"Sid":"TlsOnly","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::<acct>:role/<role>"},"Action":"s3:*","Resource":["arn:aws:s3:::<bucket>","arn:aws:s3:::<bucket>/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]},"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","policy":""}"#, "null").with(S3_MANAGE).on(S3_BUCKET),
        read(110, APP, "kms", "Decrypt", crypto).on(KMS_KEY),
        read(80, SERVICE, "kms", "GenerateDataKey", generate).on(KMS_KEY),
        read(40, SERVICE, "kms", "Decrypt", r#"{"encryptionContext":{"aws:lambda:FunctionArn":"arn:aws:lambda:<region>:<acct>:function:<function>"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}"#).on(KMS_KEY),
        read(8, MONITOR | HUMAN, "kms", "DescribeKey", r#"{"keyId":"arn:aws:kms:<region>:<acct>:key/<kms>"}"#).on(KMS_KEY),
        change(3, APP, "kms", "CreateGrant", r#"{"keyId":"arn:aws:kms:<region>:<acct>:key/<kms>","granteePrincipal":"arn:aws:iam::<acct>:role/<role>","operations":["Decrypt","GenerateDataKeyWithoutPlaintext"],"constraints":{"encryptionContextSubset":{"aws:ebs:id":"<volume>"}},"retiringPrincipal":"ec2.<region>.amazonaws.com"}"#, r#"{"grantId":"<hex64>","keyId":"arn:aws:kms:<region>:<acct>:key/<kms>"}"#).on(KMS_KEY),
        read(40, APP, "secretsmanager", "GetSecretValue", secret).fails("ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
        read(9, MONITOR | HUMAN, "secretsmanager", "ListSecrets", r#"{"maxResults":100,"includePlannedDeletion":false}"#),
        read(8, HUMAN | DEPLOY, "secretsmanager", "DescribeSecret", secret),
        change(2, DEPLOY, "secretsmanager", "PutSecretValue", r#"{"clientRequestToken":"<uuid>","secretId":"arn:aws:secretsmanager:<region>:<acct>:secret:<secret>"}"#, r#"{"arn":"arn:aws:secretsmanager:<region>:<acct>:secret:<secret>"}"#),
        read(28, APP, "dynamodb", "DescribeTable", r#"{"tableName":"<table>"}"#).api("2012-08-10").on(r#"[{"accountId":"<acct>","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:<region>:<acct>:table/<table>"}]"#),
        read(26, APP, "dynamodb", "GetItem", r#"{"tableName":"<table>","key":{"pk":"***","sk":"***"},"consistentRead":false}"#).origin(Origin::Data).api("2012-08-10").on(r#"[{"accountId":"<acct>","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:<region>:<acct>:table/<table>"}]"#),
        read(12, MONITOR, "rds", "DescribeDBInstances", r#"{"filters":[],"includeShared":false,"maxRecords":100}"#),
        read(8, MONITOR | HUMAN, "rds", "DescribeDBClusters", r#"{"filters":[{"name":"db-cluster-id","values":["<db>"]}],"includeShared":false}"#),
        change(2, DEPLOY | HUMAN, "rds", "CreateDBSnapshot", r#"{"dBSnapshotIdentifier":"<db>-<same8>","dBInstanceIdentifier":"<db>"}"#, r#"{"dBSnapshotIdentifier":"<db>-<same8>","dBInstanceIdentifier":"<db>","engine":"postgres","allocatedStorage":200,"status":"creating","port":5432,"availabilityZone":"<region>a","vpcId":"<vpc>","masterUsername":"app","engineVersion":"17.4","licenseModel":"postgresql-license","snapshotType":"manual","iops":3000,"percentProgress":0,"storageType":"gp3","encrypted":true,"kmsKeyId":"arn:aws:kms:<region>:<acct>:key/<kms>","dBSnapshotArn":"arn:aws:rds:<region>:<acct>:snapshot:<db>-<same8>","iAMDatabaseAuthenticationEnabled":false,"processorFeatures":[],"dbiResourceId":"db-<key26>","tagList":[],"originalSnapshotCreateTime":"<date>"}"#),
    ]
}

fn identity() -> Vec<Call> {
    let assume =
        r#"{"roleArn":"arn:aws:iam::<acct>:role/<role>","roleSessionName":"<app>-session","durationSeconds":3600}"#;
    let assumed = format!("{{{CREDENTIALS},{ASSUMED}}}");
    let web = r#"{"roleArn":"arn:aws:iam::<acct>:role/<role>","roleSessionName":"<app>-session"}"#;
    let subject = format!(
        r#"{{"subjectFromWebIdentityToken":"system:serviceaccount:<app>:<service>",{CREDENTIALS},{ASSUMED},"provider":"arn:aws:iam::<acct>:oidc-provider/oidc.eks.<region>.amazonaws.com/id/EXAMPLE<same25>","audience":"sts.amazonaws.com"}}"#
    );
    let saml = format!(
        r#"{{"nameQualifier":"<b64_27>=","subjectType":"persistent","subject":"<user>@example.com",{CREDENTIALS},{ASSUMED},"issuer":"https://idp.example.com/saml","audience":"https://signin.aws.amazon.com/saml"}}"#
    );
    let policy = r#"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],\"Resource\":\"arn:aws:s3:::<bucket>/*\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalTag/team\":\"<app>\"}}}]}"#;
    vec![
        read(90, SERVICE, "sts", "AssumeRole", assume).version("1.08").answers(&assumed).on(ROLE),
        read(14, APP | DEPLOY | MONITOR, "sts", "AssumeRole", assume).version("1.08").answers(&assumed).on(ROLE),
        read(60, WEB, "sts", "AssumeRoleWithWebIdentity", web).answers(&subject).on(ROLE),
        read(20, SAML, "sts", "AssumeRoleWithSAML", r#"{"sAMLAssertionID":"_<uuid>","roleSessionName":"<user>@example.com","durationSeconds":3600,"roleArn":"arn:aws:iam::<acct>:role/<role>","principalArn":"arn:aws:iam::<acct>:saml-provider/ExampleIdp"}"#).answers(&saml).on(ROLE),
        read(26, DEPLOY | USER | APP | HUMAN, "sts", "GetCallerIdentity", "null"),
        read(8, HUMAN | USER | ROOT, "iam", "ListUsers", r#"{"maxItems":1000}"#),
        read(12, MONITOR | HUMAN, "iam", "ListRoles", r#"{"maxItems":1000}"#),
        read(16, MONITOR | DEPLOY, "iam", "GetRole", r#"{"roleName":"<role>"}"#).fails("NoSuchEntityException", "The role with name <role> cannot be found."),
        read(12, MONITOR, "iam", "ListAttachedRolePolicies", r#"{"roleName":"<role>"}"#),
        read(10, MONITOR, "iam", "GetPolicyVersion", r#"{"policyArn":"arn:aws:iam::<acct>:policy/<policy>","versionId":"v3"}"#),
        read(6, MONITOR | ROOT, "iam", "GetAccountSummary", "null"),
        read(6, MONITOR, "iam", "ListAccessKeys", r#"{"userName":"<user>"}"#),
        change(2, DEPLOY, "iam", "CreateRole", r#"{"path":"/","roleName":"<role>-<same6>","assumeRolePolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ecs-tasks.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}","tags":[{"key":"app","value":"<app>"}]}"#, r#"{"role":{"path":"/","roleName":"<role>-<same6>","roleId":"AROA<key10>EXAMPLE","arn":"arn:aws:iam::<acct>:role/<role>-<same6>","createDate":"<date>","assumeRolePolicyDocument":"%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%7D%5D%7D","tags":[{"key":"app","value":"<app>"}]}}"#),
        change(4, DEPLOY, "iam", "PutRolePolicy", &format!(r#"{{"roleName":"<role>","policyName":"<policy>","policyDocument":"{policy}"}}"#), "null"),
        change(2, DEPLOY, "iam", "AttachRolePolicy", r#"{"roleName":"<role>","policyArn":"arn:aws:iam::<acct>:policy/<policy>"}"#, "null"),
        change(2, DEPLOY, "iam", "PassRole", r#"{"roleArn":"arn:aws:iam::<acct>:role/<role>"}"#, "null"),
        change(1, USER, "iam", "CreateAccessKey", r#"{"userName":"<me>"}"#, r#"{"accessKey":{"userName":"<me>","accessKeyId":"AKIA<key9>EXAMPLE","status":"Active","createDate":"<date>"}}"#),
        change(6, ROOT, "signin", "ConsoleLogin", "null", r#"{"ConsoleLogin":"Success"}"#).origin(Origin::SignIn).with(r#"{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs\u003d%23\u0026isauthcode\u003dtrue\u0026state\u003dhashArgsFromTB_<region>_<same16>","MobileVersion":"No","MFAIdentifier":"arn:aws:iam::<acct>:mfa/root-account-mfa-device","MFAUsed":"Yes"}"#),
        change(5, HUMAN, "signin", "ConsoleLogin", "null", r#"{"ConsoleLogin":"Success"}"#).origin(Origin::SignIn).with(r#"{"LoginTo":"https://console.aws.amazon.com/console/home?region\u003d<region>\u0026state\u003dhashArgs%23\u0026isauthcode\u003dtrue","MobileVersion":"No","MFAUsed":"No"}"#),
        read(12, DIRECTORY, "sso", "GetRoleCredentials", r#"{"role_name":"PowerUserAccess","account_id":"<acct>"}"#).with(r#"{"UserId":"<same8>-4021-70aa-9f00-<same12>"}"#).origin(Origin::Service),
        read(3, HUMAN | ROOT, "organizations", "DescribeOrganization", "null"),
        read(2, MONITOR, "organizations", "ListAccounts", r#"{"maxResults":20}"#),
        read(4, MONITOR | HUMAN, "access-analyzer", "ListFindings", r#"{"analyzerArn":"arn:aws:access-analyzer:<region>:<acct>:analyzer/account","maxResults":50}"#),
    ]
}

fn compute() -> Vec<Call> {
    let instances = r#"{"maxResults":1000,"instancesSet":{},"filterSet":{}}"#;
    let one = r#"{"instancesSet":{"items":[{"instanceId":"<instance>"}]},"filterSet":{}}"#;
    let run = r#"{"instancesSet":{"items":[{"imageId":"<ami>","minCount":1,"maxCount":1}]},"instanceType":"m7g.large","blockDeviceMapping":{"items":[{"deviceName":"/dev/xvda","ebs":{"volumeSize":80,"deleteOnTermination":true,"volumeType":"gp3","encrypted":true}}]},"monitoring":{"enabled":true},"subnetId":"<subnet>","disableApiTermination":false,"clientToken":"<uuid>","tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"app","value":"<app>"},{"key":"Name","value":"<asg>"}]}]}}"#;
    let started = r#"{"requestId":"<rid>","reservationId":"r-0<hex16>","ownerId":"<acct>","groupSet":{},"instancesSet":{"items":[{"instanceId":"i-0<hex16>","imageId":"<ami>","instanceState":{"code":0,"name":"pending"},"privateDnsName":"ip-10-0-4-17.ec2.internal","amiLaunchIndex":0,"productCodes":{},"instanceType":"m7g.large","launchTime":<ms>,"placement":{"availabilityZone":"<region>a","tenancy":"default"},"monitoring":{"state":"pending"},"subnetId":"<subnet>","vpcId":"<vpc>","privateIpAddress":"<private>","stateReason":{"code":"pending","message":"pending"},"architecture":"arm64","rootDeviceType":"ebs","rootDeviceName":"/dev/xvda","blockDeviceMapping":{},"virtualizationType":"hvm","hypervisor":"xen","tagSet":{"items":[{"key":"app","value":"<app>"}]},"groupSet":{"items":[{"groupId":"<sg>","groupName":"<app>"}]},"networkInterfaceSet":{"items":[{"networkInterfaceId":"eni-0<hex16>","subnetId":"<subnet>","vpcId":"<vpc>","ownerId":"<acct>","status":"in-use","privateIpAddress":"<private>","sourceDestCheck":true,"interfaceType":"interface"}]},"ebsOptimized":true,"enaSupport":true,"cpuOptions":{"coreCount":2,"threadsPerCore":1},"metadataOptions":{"state":"pending","httpTokens":"required","httpPutResponseHopLimit":2,"httpEndpoint":"enabled"}}]}}"#;
    let log_stream = r#"{"logGroupName":"<loggroup>","logStreamName":"2026/03/02/[$LATEST]<hex32>"}"#;
    let task = r#"{"cluster":"arn:aws:ecs:<region>:<acct>:cluster/<cluster>","tasks":["arn:aws:ecs:<region>:<acct>:task/<cluster>/<same32>"]}"#;
    vec![
        read(60, MONITOR | HUMAN, "ec2", "DescribeInstances", instances).version("1.10"),
        read(14, MONITOR | HUMAN | USER | DEPLOY, "ec2", "DescribeInstances", one).version("1.10").fails("Client.InvalidInstanceID.NotFound", "The instance ID '<instance>' does not exist"),
        read(24, MONITOR | HUMAN, "ec2", "DescribeSecurityGroups", FILTERS).version("1.10"),
        read(18, MONITOR | HUMAN, "ec2", "DescribeVolumes", r#"{"maxResults":500,"volumeSet":{},"filterSet":{}}"#).version("1.10"),
        read(14, MONITOR | HUMAN | DEPLOY, "ec2", "DescribeSubnets", FILTERS).version("1.10"),
        read(14, MONITOR | HUMAN | DEPLOY, "ec2", "DescribeVpcs", r#"{"vpcSet":{"items":[{"vpcId":"<vpc>"}]},"filterSet":{}}"#).version("1.10"),
        read(10, MONITOR | HUMAN, "ec2", "DescribeSnapshots", r#"{"maxResults":1000,"snapshotSet":{},"ownersSet":{"items":[{"owner":"<acct>"}]},"sharedUsersSet":{},"filterSet":{}}"#).version("1.10"),
        read(12, MONITOR | APP, "ec2", "DescribeNetworkInterfaces", r#"{"networkInterfaceIdSet":{"items":[{"networkInterfaceId":"<eni>"}]},"filterSet":{}}"#).version("1.10"),
        read(10, MONITOR | DEPLOY, "ec2", "DescribeImages", r#"{"executableBySet":{},"imagesSet":{},"ownersSet":{"items":[{"owner":"amazon"}]},"filterSet":{"items":[{"name":"name","valueSet":{"items":[{"value":"al2023-ami-2023*-arm64"}]}}]},"includeDeprecated":false}"#).version("1.10"),
        read(6, MONITOR, "ec2", "DescribeNatGateways", r#"{"DescribeNatGatewaysRequest":{"Filter":{"tag":1,"Value":{"tag":1,"content":"<vpc>"},"Name":"vpc-id"},"MaxResults":100}}"#).version("1.10"),
        read(4, MONITOR, "ec2", "DescribeSpotPriceHistory", r#"{"startTimeRange":{"fromTime":<exp>,"toTime":<exp>},"instanceTypeSet":{"items":[{"instanceType":"m7g.large"}]},"maxResults":100}"#).version("1.10"),
        change(6, DEPLOY | SERVICE, "ec2", "RunInstances", run, started).version("1.10"),
        change(6, DEPLOY | SERVICE | HUMAN, "ec2", "CreateTags", r#"{"resourcesSet":{"items":[{"resourceId":"<instance>"},{"resourceId":"<volume>"}]},"tagSet":{"items":[{"key":"app","value":"<app>"},{"key":"owner","value":"team-<app>"}]}}"#, r#"{"requestId":"<rid>","_return":true}"#).version("1.10"),
        change(4, SERVICE, "ec2", "CreateNetworkInterface", r#"{"subnetId":"<subnet>","description":"AWS Lambda VPC ENI-<function>-<uuid>","groupSet":{"items":[{"groupId":"<sg>"}]},"privateIpAddressesSet":{}}"#, r#"{"requestId":"<rid>","networkInterface":{"networkInterfaceId":"eni-0<hex16>","subnetId":"<subnet>","vpcId":"<vpc>","availabilityZone":"<region>b","description":"AWS Lambda VPC ENI-<function>","ownerId":"<acct>","requesterId":"AROA<key10>EXAMPLE:<acct>","requesterManaged":false,"status":"pending","macAddress":"0a:ff:d1:2b:3c:4d","privateIpAddress":"<private>","sourceDestCheck":true,"groupSet":{"items":[{"groupId":"<sg>","groupName":"<app>"}]},"privateIpAddressesSet":{"item":[{"privateIpAddress":"<private>","primary":true}]},"tagSet":{}}}"#).version("1.10"),
        change(2, DEPLOY, "ec2", "AuthorizeSecurityGroupIngress", r#"{"groupId":"<sg>","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{},"ipRanges":{"items":[{"cidrIp":"10.0.0.0/16","description":"inside"}]},"ipv6Ranges":{},"prefixListIds":{}}]}}"#, r#"{"requestId":"<rid>","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"<acct>","groupId":"<sg>","securityGroupRuleId":"sgr-0<hex16>","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"10.0.0.0/16"}]}}"#).version("1.10"),
        change(30, SERVICE, "lambda", "Invoke", r#"{"functionName":"arn:aws:lambda:<region>:<acct>:function:<function>","sourceArn":"arn:aws:events:<region>:<acct>:rule/<app>-schedule","contentType":"application/json","sourceAccount":"<acct>"}"#, "null").origin(Origin::Data).with(r#"{"functionVersion":"arn:aws:lambda:<region>:<acct>:function:<function>:$LATEST"}"#).on(r#"[{"accountId":"<acct>","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:<region>:<acct>:function:<function>"}]"#),
        read(14, MONITOR | HUMAN | DEPLOY, "lambda", "GetFunction20150331v2", r#"{"functionName":"<function>"}"#).api("2015-03-31"),
        read(8, MONITOR | HUMAN, "lambda", "ListFunctions20150331", r#"{"maxItems":50}"#).api("2015-03-31"),
        change(6, DEPLOY, "lambda", "UpdateFunctionCode20150331v2", r#"{"functionName":"<function>","s3Bucket":"<bucket>","s3Key":"<object>","publish":true,"dryRun":false}"#, r#"{"functionName":"<function>","functionArn":"arn:aws:lambda:<region>:<acct>:function:<function>","runtime":"python3.13","role":"arn:aws:iam::<acct>:role/<role>","handler":"app.handler","codeSize":<n9000000>,"description":"","timeout":30,"memorySize":512,"lastModified":"<iso>","codeSha256":"<b64_43>=","version":"$LATEST","environment":{},"tracingConfig":{"mode":"Active"},"revisionId":"<uuid>","layers":[{"arn":"arn:aws:lambda:<region>:<acct>:layer:shared:12","codeSize":1048576}],"state":"Active","lastUpdateStatus":"InProgress","packageType":"Zip","architectures":["arm64"],"ephemeralStorage":{"size":512},"loggingConfig":{"logFormat":"JSON","applicationLogLevel":"INFO","systemLogLevel":"WARN","logGroup":"<loggroup>"}}"#).api("2015-03-31"),
        change(40, APP, "logs", "CreateLogStream", log_stream, "null").api("20140328").fails("ResourceAlreadyExistsException", "The specified log stream already exists"),
        read(14, MONITOR | HUMAN, "logs", "DescribeLogGroups", r#"{"limit":50,"logGroupNamePrefix":"/aws/lambda/<app>"}"#).api("20140328"),
        read(6, HUMAN, "logs", "StartQuery", r#"{"logGroupNames":["<loggroup>"],"startTime":<ms>,"endTime":<ms>,"queryString":"fields @timestamp, @message | filter @message like /ERROR/ \u0026 level \u003d 'error' | sort @timestamp desc | limit 200"}"#).answers(r#"{"queryId":"<uuid>"}"#).api("20140328"),
        read(24, MONITOR | APP, "ecs", "DescribeTasks", task),
        read(10, MONITOR | DEPLOY, "ecs", "DescribeServices", r#"{"cluster":"<cluster>","services":["<service>"],"include":["TAGS"]}"#),
        change(10, APP, "ecs", "SubmitTaskStateChange", r#"{"cluster":"arn:aws:ecs:<region>:<acct>:cluster/<cluster>","task":"arn:aws:ecs:<region>:<acct>:task/<cluster>/<same32>","status":"RUNNING","reason":null,"containers":[],"executionStoppedAt":null}"#, r#"{"acknowledgment":"<region>"}"#),
        change(4, DEPLOY, "ecs", "UpdateService", r#"{"cluster":"<cluster>","service":"<service>","taskDefinition":"<app>:<n400>","forceNewDeployment":true,"desiredCount":3}"#, r#"{"service":{"serviceArn":"arn:aws:ecs:<region>:<acct>:service/<cluster>/<service>","serviceName":"<service>","status":"ACTIVE","desiredCount":3,"runningCount":3,"pendingCount":0,"launchType":"FARGATE","platformVersion":"LATEST","deployments":[{"id":"ecs-svc/<n999999999>","status":"PRIMARY","desiredCount":3,"pendingCount":0,"runningCount":0,"createdAt":"<date>","rolloutState":"IN_PROGRESS","rolloutStateReason":"ECS deployment in progress."}],"roleArn":"arn:aws:iam::<acct>:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS","events":[],"createdAt":"<date>"}}"#),
        read(22, APP | DEPLOY, "ecr", "GetAuthorizationToken", "null"),
        read(16, APP | DEPLOY, "ecr", "BatchGetImage", r#"{"repositoryName":"<repo>","imageIds":[{"imageTag":"<same8>"}],"registryId":"<acct>","acceptedMediaTypes":["application/vnd.oci.image.manifest.v1+json","application/vnd.docker.distribution.manifest.v2+json"]}"#).on(r#"[{"accountId":"<acct>","ARN":"arn:aws:ecr:<region>:<acct>:repository/<repo>"}]"#),
        change(3, DEPLOY, "ecr", "PutImage", r#"{"repositoryName":"<repo>","imageTag":"<same8>","registryId":"<acct>","imageManifest":"{\n   \"schemaVersion\": 2,\n   \"config\": {\n      \"size\": 7023,\n      \"digest\": \"sha256:<hex64>\"\n   }\n}"}"#, r#"{"image":{"repositoryName":"<repo>","registryId":"<acct>","imageId":{"imageDigest":"sha256:<hex64>","imageTag":"<same8>"}}}"#).on(r#"[{"accountId":"<acct>","ARN":"arn:aws:ecr:<region>:<acct>:repository/<repo>"}]"#),
        read(8, MONITOR | DEPLOY, "eks", "DescribeCluster", r#"{"name":"<cluster>"}"#),
        read(16, MONITOR | SERVICE, "autoscaling", "DescribeAutoScalingGroups", r#"{"maxRecords":100,"autoScalingGroupNames":["<asg>"]}"#),
        read(16, MONITOR | SERVICE, "elasticloadbalancing", "DescribeTargetHealth", r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:<region>:<acct>:targetgroup/<app>/<same16>"}"#).api("2015-12-01"),
        read(8, MONITOR | HUMAN, "elasticloadbalancing", "DescribeLoadBalancers", r#"{"pageSize":400}"#).api("2015-12-01"),
        change(6, SERVICE, "elasticloadbalancing", "RegisterTargets", r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:<region>:<acct>:targetgroup/<app>/<same16>","targets":[{"id":"<private>","port":8080}]}"#, "null").api("2015-12-01"),
    ]
}

fn platform() -> Vec<Call> {
    vec![
        read(20, APP | DEPLOY, "ssm", "GetParameter", r#"{"name":"<param>","withDecryption":true}"#).on(r#"[{"accountId":"<acct>","ARN":"arn:aws:ssm:<region>:<acct>:parameter<param>"}]"#).fails("ParameterNotFound", "Parameter <param> not found."),
        read(14, APP, "ssm", "GetParametersByPath", r#"{"path":"/prod/<app>","recursive":true,"withDecryption":true,"maxResults":10}"#),
        change(20, APP, "ssm", "UpdateInstanceInformation", r#"{"instanceId":"<instance>","agentVersion":"3.3.2299.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"<private>","computerName":"ip-10-0-4-17.ec2.internal","agentName":"amazon-ssm-agent","availabilityZone":"<region>a","availabilityZoneId":"use1-az4"}"#, "null"),
        change(2, HUMAN, "ssm", "StartSession", r#"{"target":"<instance>"}"#, r#"{"sessionId":"<me>-<same17>","tokenValue":"Value hidden due to security reasons.","streamUrl":"wss://ssmmessages.<region>.amazonaws.com/v1/data-channel/<me>-<same17>?role\u003dpublish_subscribe"}"#),
        change(1, HUMAN | DEPLOY, "ssm", "PutParameter", r#"{"name":"<param>","value":"HIDDEN_DUE_TO_SECURITY_REASONS","type":"SecureString","overwrite":true}"#, r#"{"version":<n40>,"tier":"Standard"}"#),
        read(24, MONITOR | HUMAN, "monitoring", "DescribeAlarms", r#"{"maxRecords":100,"alarmTypes":["MetricAlarm","CompositeAlarm"]}"#),
        read(16, MONITOR | HUMAN, "monitoring", "ListMetrics", r#"{"namespace":"AWS/ECS","dimensions":[{"name":"ServiceName","value":"<service>"}]}"#),
        change(3, DEPLOY, "monitoring", "PutMetricAlarm", r#"{"alarmName":"<alarm>","comparisonOperator":"GreaterThanThreshold","evaluationPeriods":3,"metricName":"TargetResponseTime","namespace":"AWS/ApplicationELB","period":60,"statistic":"Average","threshold":0.75,"actionsEnabled":true,"alarmActions":["arn:aws:sns:<region>:<acct>:<topic>"],"dimensions":[{"name":"LoadBalancer","value":"<lb>"}]}"#, "null"),
        read(10, MONITOR | HUMAN, "cloudtrail", "DescribeTrails", r#"{"trailNameList":[],"includeShadowTrails":true}"#),
        read(10, MONITOR, "cloudtrail", "GetTrailStatus", r#"{"name":"arn:aws:cloudtrail:<region>:<acct>:trail/management-events"}"#),
        read(4, MONITOR, "cloudtrail", "GetEventSelectors", r#"{"trailName":"arn:aws:cloudtrail:<region>:<acct>:trail/management-events"}"#),
        read(6, HUMAN, "cloudtrail", "LookupEvents", r#"{"maxResults":50,"startTime":"<date>","endTime":"<date>","lookupAttributes":[{"attributeKey":"ReadOnly","attributeValue":"false"}]}"#),
        read(18, DEPLOY | HUMAN, "cloudformation", "DescribeStacks", r#"{"stackName":"<stack>"}"#).fails("ValidationError", "Stack with id <stack> does not exist"),
        read(14, DEPLOY, "cloudformation", "DescribeStackEvents", r#"{"stackName":"arn:aws:cloudformation:<region>:<acct>:stack/<stack>/<uuid>"}"#),
        change(4, DEPLOY, "cloudformation", "CreateChangeSet", r#"{"stackName":"<stack>","changeSetName":"cs-<same16>","capabilities":["CAPABILITY_NAMED_IAM"],"templateURL":"https://<bucket>.s3.<region>.amazonaws.com/<object>","parameters":[{"parameterKey":"Stage"},{"parameterKey":"ImageTag"}],"changeSetType":"UPDATE"}"#, r#"{"id":"arn:aws:cloudformation:<region>:<acct>:changeSet/cs-<same16>/<uuid>","stackId":"arn:aws:cloudformation:<region>:<acct>:stack/<stack>/<uuid>"}"#),
        read(8, DEPLOY | MONITOR, "sns", "GetTopicAttributes", r#"{"topicArn":"arn:aws:sns:<region>:<acct>:<topic>"}"#),
        change(10, APP, "sns", "Publish", r#"{"topicArn":"arn:aws:sns:<region>:<acct>:<topic>","message":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#, r#"{"messageId":"<uuid>"}"#).origin(Origin::Data).on(r#"[{"accountId":"<acct>","type":"AWS::SNS::Topic","ARN":"arn:aws:sns:<region>:<acct>:<topic>"}]"#),
        read(14, APP | MONITOR, "sqs", "GetQueueAttributes", r#"{"queueUrl":"https://sqs.<region>.amazonaws.com/<acct>/<queue>","attributeNames":["ApproximateNumberOfMessages","ApproximateNumberOfMessagesNotVisible"]}"#).on(r#"[{"accountId":"<acct>","type":"AWS::SQS::Queue","ARN":"arn:aws:sqs:<region>:<acct>:<queue>"}]"#),
        read(10, MONITOR | DEPLOY, "route53", "ListResourceRecordSets", r#"{"hostedZoneId":"<zone>","maxItems":"300"}"#).api("2013-04-01"),
        change(3, DEPLOY, "route53", "ChangeResourceRecordSets", r#"{"hostedZoneId":"<zone>","changeBatch":{"comment":"","changes":[{"action":"UPSERT","resourceRecordSet":{"name":"<app>.example.com","type":"CNAME","tTL":60,"resourceRecords":[{"value":"<same12>.elb.example.net"}]}}]}}"#, r#"{"changeInfo":{"status":"PENDING","id":"/change/C<key20>","submittedAt":"<date>"}}"#).api("2013-04-01"),
        change(10, SERVICE | APP, "config", "PutEvaluations", r#"{"evaluations":[{"complianceResourceType":"AWS::S3::Bucket","complianceResourceId":"<bucket>","complianceType":"COMPLIANT","orderingTimestamp":"<date>"}],"resultToken":"Value hidden due to security reasons.","testMode":false}"#, r#"{"failedEvaluations":[]}"#),
        read(6, MONITOR, "config", "DescribeConfigurationRecorderStatus", "null"),
        read(6, MONITOR | HUMAN, "guardduty", "ListFindings", r#"{"detectorId":"<same32>","maxResults":50,"findingCriteria":{"criterion":{"service.archived":{"eq":["false"]},"severity":{"gte":4}}},"sortCriteria":{"attributeName":"severity","orderBy":"DESC"}}"#),
        read(5, MONITOR, "securityhub", "GetFindings", r#"{"Filters":{"WorkflowStatus":[{"Value":"NEW","Comparison":"EQUALS"}],"RecordState":[{"Value":"ACTIVE","Comparison":"EQUALS"}]},"MaxResults":100}"#),
        read(6, APP | HUMAN, "glue", "GetTable", r#"{"databaseName":"<app>","name":"events"}"#).fails("EntityNotFoundException", "Entity Not Found"),
        read(6, APP | HUMAN, "athena", "GetQueryExecution", r#"{"queryExecutionId":"<uuid>"}"#),
        change(3, APP | HUMAN, "athena", "StartQueryExecution", r#"{"queryString":"SELECT day, count(*) AS n FROM events WHERE day \u003e\u003d '2026-03-01' AND kind \u003c\u003e 'test' GROUP BY day","clientRequestToken":"<uuid>","queryExecutionContext":{"database":"<app>"},"workGroup":"primary"}"#, r#"{"queryExecutionId":"<uuid>"}"#),
        change(8, APP, "bedrock", "InvokeModel", r#"{"modelId":"example.text-model-v2:0"}"#, "null"),
        read(4, MONITOR, "ce", "GetCostAndUsage", r#"{"timePeriod":{"start":"2026-02-01","end":"2026-03-01"},"granularity":"DAILY","metrics":["UnblendedCost"],"groupBy":[{"type":"DIMENSION","key":"SERVICE"}]}"#),
        read(8, HUMAN | ROOT, "health", "DescribeEventAggregates", r#"{"filter":{"eventStatusCodes":["open","upcoming"],"startTimes":[{"from":"<date>"}]},"aggregateField":"eventTypeCategory"}"#),
        read(6, HUMAN | ROOT, "notifications", "ListNotificationHubs", r#"{"maxResults":"3"}"#),
        read(6, DEPLOY | HUMAN, "codepipeline", "GetPipelineState", r#"{"name":"<pipeline>"}"#),
        Call {
            details: Some(Template::parse(r#"{"keyId":"<kms>","rotationType":"AUTOMATIC","backingKeyId":"<same32>"}"#)),
            ..change(2, SERVICE, "kms", "RotateKey", "null", "null").origin(Origin::Service).on(KMS_KEY)
        },
    ]
}

/// Calls whose records are as large as the profile asks for.
fn large() -> Vec<Call> {
    let item = r#"{"Name":"<app>-lib<n900>","Version":"<n20>.<n40>.<n9>-<n30>.amzn2023","Architecture":"aarch64","InstalledTime":"<iso>","Publisher":"Example Corp","Summary":"Runtime support \u0026 headers for <app>","PackageId":"<app>-<hex12>"}"#;
    let statement = r#"{\"Sid\":\"Allow<n9000>\",\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:ListBucket\"],\"Resource\":[\"arn:aws:s3:::example-<app>-<hex6>/*\"],\"Condition\":{\"StringEquals\":{\"aws:SourceVpc\":\"vpc-0<hex16>\"}}}"#;
    let category = r#"{"eventId":"EXAMPLE-EVENT-<n9999>","eventCategories":["monitoring","configuration"],"eventDescription":"One or more nodes of cluster \u003c<cluster>\u003e will be replaced – started at <iso>.","severity":"INFO","affected":[<n99999>,<n99999>,-1,0.5],"acknowledged":null}"#;
    vec![
        change(10, APP, "ssm", "PutInventory", &format!(r#"{{"instanceId":"<instance>","items":[{{"typeName":"AWS:Application","schemaVersion":"1.1","captureTime":"<iso>","content":[<[{item}]>]}}]}}"#), "null").large(),
        change(6, DEPLOY, "iam", "CreatePolicyVersion", &format!(r#"{{"policyArn":"arn:aws:iam::<acct>:policy/<policy>","policyDocument":"{{\"Version\":\"2012-10-17\",\"Statement\":[<[{statement}]>]}}","setAsDefault":true}}"#), r#"{"policyVersion":{"versionId":"v<n90>","isDefaultVersion":true,"createDate":"<date>"}}"#).large(),
        read(6, MONITOR, "redshift", "DescribeEventCategories", r#"{"sourceType":"cluster"}"#).answers(&format!(r#"{{"eventCategoriesMapList":[{{"sourceType":"cluster","events":[<[{category}]>]}}]}}"#)).large(),
    ]
}

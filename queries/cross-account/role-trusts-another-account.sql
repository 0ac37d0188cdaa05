-- title: A role's trust names another account
-- answers: Which roles were made or changed so that another account may assume them?
-- severity: medium
-- outcomes: both
-- mitre: TA0003:T1098, TA0004:T1484
-- tags: iam, roles
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'roleName') AS role,
       regexp_extract(coalesce(element_at(requestParameters, 'policyDocument'),
                               element_at(requestParameters, 'assumeRolePolicyDocument')),
                      'arn:aws[a-z-]*:iam::([0-9]{12}):', 1) AS trusted_account,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('UpdateAssumeRolePolicy', 'CreateRole')
  AND regexp_extract(coalesce(element_at(requestParameters, 'policyDocument'),
                              element_at(requestParameters, 'assumeRolePolicyDocument')),
                     'arn:aws[a-z-]*:iam::([0-9]{12}):', 1) <> recipientAccountId
ORDER BY eventTime, eventID

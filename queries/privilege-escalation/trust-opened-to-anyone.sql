-- title: A role that anyone may assume
-- answers: Which roles were given a trust policy with Principal "*"?
-- severity: critical
-- outcomes: both
-- mitre: TA0004:T1484, TA0003:T1098
-- tags: iam, roles
SELECT eventTime, recipientAccountId, eventName, element_at(requestParameters, 'roleName') AS role,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('UpdateAssumeRolePolicy', 'CreateRole')
  AND regexp_like(coalesce(element_at(requestParameters, 'policyDocument'),
                           element_at(requestParameters, 'assumeRolePolicyDocument')),
                  '("Principal"|"AWS")\s*:\s*\[?\s*"\*"')
ORDER BY eventTime, eventID

-- title: An instance asks what it has no business with
-- answers: Which instances' roles listed users, roles, buckets, secrets or trails?
-- severity: medium
-- outcomes: both
-- mitre: TA0007:T1580, TA0007:T1087.004
-- tags: ec2, iam
-- parameter: calls integer: Fewest different calls of one instance
SELECT recipientAccountId, userIdentity.arn AS principal, sourceIPAddress, count(DISTINCT eventName) AS calls,
       array_join(array_sort(array_agg(DISTINCT eventName)), ' ') AS list, min(eventTime) AS first, max(eventTime) AS last,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE userIdentity.principalId LIKE '%:i-%'
  AND eventName IN ('GetCallerIdentity', 'ListBuckets', 'ListUsers', 'ListRoles', 'ListSecrets', 'ListAccounts',
                    'DescribeTrails', 'ListAttachedRolePolicies', 'GetAccountAuthorizationDetails', 'DescribeOrganization')
GROUP BY recipientAccountId, userIdentity.arn, sourceIPAddress
HAVING count(DISTINCT eventName) >= 3 /* :calls */
ORDER BY calls DESC, principal, sourceIPAddress

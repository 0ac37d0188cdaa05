-- title: Secrets read in several Regions
-- answers: Who read secrets in three or more Regions within an hour?
-- severity: high
-- outcomes: both
-- mitre: TA0006:T1555.006
-- tags: secrets
-- parameter: regions integer: Fewest different Regions
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, userIdentity.arn AS principal, sourceIPAddress,
       count(DISTINCT awsRegion) AS regions, count_if(errorCode IS NULL) AS succeeded,
       count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName IN ('GetSecretValue', 'BatchGetSecretValue', 'ListSecrets')
GROUP BY 1, 2, 3, 4
HAVING count(DISTINCT awsRegion) >= 3 /* :regions */
ORDER BY regions DESC, hour, principal, sourceIPAddress

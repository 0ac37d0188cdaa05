-- title: An instance's credentials in two places
-- answers: Which EC2 instances' role sessions were used from more than one address within a day?
-- severity: high
-- outcomes: both
-- mitre: TA0006:T1552.005, TA0008:T1550.001
-- tags: ec2, keys
-- reference: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
SELECT date_trunc('day', eventTime) AS day, recipientAccountId, userIdentity.arn AS principal,
       count(DISTINCT sourceIPAddress) AS addresses,
       array_join(array_sort(array_agg(DISTINCT sourceIPAddress)), ' ') AS list,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE userIdentity.type = 'AssumedRole'
  AND userIdentity.principalId LIKE '%:i-%'
  AND sourceIPAddress NOT LIKE '%.amazonaws.com'
  AND sourceIPAddress NOT LIKE 'AWS Internal%'
GROUP BY 1, 2, 3
HAVING count(DISTINCT sourceIPAddress) > 1
ORDER BY day, recipientAccountId, principal

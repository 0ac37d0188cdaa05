-- title: One access key, several addresses, one hour
-- answers: Which long-lived access keys were used from several addresses within an hour, by whom and for what?
-- severity: medium
-- outcomes: both
-- mitre: TA0001:T1078.004, TA0006:T1552.001
-- tags: iam, keys
-- parameter: addresses integer: Fewest addresses within the hour
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, userIdentity.accessKeyId AS access_key,
       userIdentity.arn AS principal, count(DISTINCT sourceIPAddress) AS addresses,
       array_join(array_sort(array_agg(DISTINCT sourceIPAddress)), ' ') AS list,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE userIdentity.accessKeyId LIKE 'AKIA%'
  AND sourceIPAddress NOT LIKE '%.amazonaws.com'
  AND sourceIPAddress NOT LIKE 'AWS Internal%'
GROUP BY 1, 2, 3, 4
HAVING count(DISTINCT sourceIPAddress) >= 3 /* :addresses */
ORDER BY hour, recipientAccountId, access_key, principal

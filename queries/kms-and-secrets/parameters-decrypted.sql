-- title: Many parameters decrypted
-- answers: Which principals read decrypted parameters from Systems Manager again and again within an hour?
-- severity: medium
-- outcomes: both
-- mitre: TA0006:T1552
-- tags: ssm, secrets
-- parameter: calls integer: Fewest calls within the hour
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, userIdentity.arn AS principal, sourceIPAddress,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('GetParameter', 'GetParameters', 'GetParametersByPath')
  AND element_at(requestParameters, 'withDecryption') = 'true'
GROUP BY 1, 2, 3, 4
HAVING count(*) >= 20 /* :calls */
ORDER BY hour, principal, sourceIPAddress

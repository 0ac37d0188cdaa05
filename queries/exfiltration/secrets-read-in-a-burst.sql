-- title: Many secrets read by one principal within an hour
-- answers: Who read ten or more different secrets in an hour, and from where?
-- severity: high
-- outcomes: both
-- mitre: TA0006:T1555.006
-- tags: secrets
-- parameter: secrets integer: Fewest different secrets within the hour
SELECT date_trunc('hour', eventTime) AS hour, recipientAccountId, userIdentity.arn AS principal, sourceIPAddress,
       count(DISTINCT element_at(requestParameters, 'secretId')) AS secrets,
       count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'GetSecretValue'
GROUP BY 1, 2, 3, 4
HAVING count(DISTINCT element_at(requestParameters, 'secretId')) >= 10 /* :secrets */
ORDER BY secrets DESC, hour, principal, sourceIPAddress

-- title: Many secrets read by one principal within an hour
-- answers: Who read ten or more different secrets in an hour, and from where?
-- severity: high
-- mitre: T1555.006
SELECT date_trunc('hour', eventTime) AS hour, userIdentity.arn AS principal, sourceIPAddress,
       count(DISTINCT element_at(requestParameters, 'secretId')) AS secrets
FROM $EDS_ID
WHERE eventSource = 'secretsmanager.amazonaws.com'
  AND eventName = 'GetSecretValue'
GROUP BY 1, 2, 3
HAVING count(DISTINCT element_at(requestParameters, 'secretId')) >= 10
ORDER BY secrets DESC

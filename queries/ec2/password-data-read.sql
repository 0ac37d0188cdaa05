-- title: Windows passwords fetched
-- answers: Who asked for the administrator passwords of Windows instances, of how many?
-- severity: medium
-- outcomes: both
-- mitre: TA0006:T1555
-- tags: ec2
SELECT userIdentity.arn AS principal, recipientAccountId, sourceIPAddress,
       count(DISTINCT element_at(requestParameters, 'instanceId')) AS instances, min(eventTime) AS first,
       max(eventTime) AS last, count_if(errorCode IS NULL) AS succeeded, count_if(errorCode IS NOT NULL) AS attempted
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'GetPasswordData'
GROUP BY userIdentity.arn, recipientAccountId, sourceIPAddress
ORDER BY instances DESC, principal, sourceIPAddress, recipientAccountId

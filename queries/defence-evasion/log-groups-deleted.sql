-- title: Log groups or streams deleted, or kept for days only
-- answers: Who deleted logs in CloudWatch, or cut how long they are kept?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1070, TA0005:T1562.008
-- tags: logging
-- parameter: days integer: Retention in days that counts as cut
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'logGroupName') AS log_group,
       element_at(requestParameters, 'retentionInDays') AS days, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'logs.amazonaws.com'
  AND (eventName IN ('DeleteLogGroup', 'DeleteLogStream')
       OR eventName = 'PutRetentionPolicy'
          AND CAST(element_at(requestParameters, 'retentionInDays') AS integer) < 30 /* :days */)
ORDER BY eventTime, eventID

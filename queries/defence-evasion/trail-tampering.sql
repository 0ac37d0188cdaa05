-- title: CloudTrail stopped, deleted or narrowed
-- answers: Who stopped, deleted or changed what trails record, and did it succeed?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1562.008
-- tags: cloudtrail, logging
-- reference: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/best-practices-security.html
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'name') AS trail,
       userIdentity.arn AS principal, sourceIPAddress, errorCode, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName IN ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors', 'DeleteEventDataStore')
ORDER BY eventTime, eventID

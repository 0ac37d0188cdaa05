-- title: CloudTrail stopped, deleted or narrowed
-- answers: Who stopped, deleted or changed what trails record, and did it succeed?
-- severity: high
-- mitre: T1562.008
SELECT eventTime, recipientAccountId, awsRegion, eventName, userIdentity.arn AS principal, sourceIPAddress, errorCode
FROM $EDS_ID
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName IN ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors', 'DeleteEventDataStore')
ORDER BY eventTime

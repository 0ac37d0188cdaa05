-- title: Buckets deleted
-- answers: Which buckets were deleted, by whom, and which attempts failed?
-- severity: medium
-- outcomes: both
-- mitre: TA0040:T1485
-- tags: s3
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'bucketName') AS bucket,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'DeleteBucket'
  AND coalesce(userIdentity.invokedBy, '') <> 'cloudformation.amazonaws.com'
ORDER BY eventTime, eventID

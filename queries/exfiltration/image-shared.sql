-- title: A machine image shared with another account
-- answers: Which AMIs were shared, with whom or with everyone?
-- severity: high
-- outcomes: both
-- mitre: TA0010:T1537
-- tags: ec2, images
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'imageId') AS image,
       coalesce(json_extract_scalar(element_at(requestParameters, 'launchPermission'), '$.add.items[0].userId'),
                json_extract_scalar(element_at(requestParameters, 'launchPermission'), '$.add.items[0].group')) AS receiver,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyImageAttribute'
  AND json_extract(element_at(requestParameters, 'launchPermission'), '$.add') IS NOT NULL
ORDER BY eventTime, eventID

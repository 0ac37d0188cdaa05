-- title: A machine or image exported to a bucket
-- answers: Who exported an instance, a volume's image or an AMI out of EC2?
-- severity: high
-- outcomes: both
-- mitre: TA0010:T1537, TA0009:T1005
-- tags: ec2, images
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'instanceId') AS instance,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateInstanceExportTask', 'ExportImage', 'CreateStoreImageTask')
ORDER BY eventTime, eventID

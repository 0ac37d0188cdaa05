-- title: Encryption of new disks switched off
-- answers: In which accounts and Regions was encryption of EBS volumes by default disabled?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1578.005
-- tags: ec2, compliance
SELECT eventTime, recipientAccountId, awsRegion, userIdentity.arn AS principal, sourceIPAddress,
       if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'DisableEbsEncryptionByDefault'
ORDER BY eventTime, eventID

-- title: GuardDuty deleted, disabled or told to look away
-- answers: Who deleted a detector, switched it off, or made it trust addresses or archive findings?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1562.001
-- tags: guardduty, detection
SELECT eventTime, recipientAccountId, awsRegion, eventName, element_at(requestParameters, 'detectorId') AS detector,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'guardduty.amazonaws.com'
  AND (eventName IN ('DeleteDetector', 'CreateIPSet', 'UpdateIPSet', 'DeleteMembers', 'DisassociateMembers',
                     'StopMonitoringMembers', 'DisassociateFromAdministratorAccount', 'DeletePublishingDestination')
       OR eventName = 'UpdateDetector' AND element_at(requestParameters, 'enable') = 'false'
       OR eventName IN ('CreateFilter', 'UpdateFilter') AND element_at(requestParameters, 'action') = 'ARCHIVE')
ORDER BY eventTime, eventID

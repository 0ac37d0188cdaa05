-- title: AWS Config stopped recording
-- answers: Who stopped or deleted a configuration recorder, its delivery, or a rule?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1562.008
-- tags: config, logging
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'configurationRecorderName'),
                element_at(requestParameters, 'deliveryChannelName'),
                element_at(requestParameters, 'configRuleName')) AS target,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'config.amazonaws.com'
  AND eventName IN ('StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel', 'DeleteConfigRule',
                    'DeleteConformancePack', 'DeleteOrganizationConfigRule')
ORDER BY eventTime, eventID

-- title: VPC flow logs deleted
-- answers: Who deleted flow logs, and of what?
-- severity: high
-- outcomes: both
-- mitre: TA0005:T1562.008
-- tags: network, logging
SELECT eventTime, recipientAccountId, awsRegion, json_extract_scalar(eventJson, '$.requestParameters.DeleteFlowLogsRequest.FlowLogId.content') AS flow_log,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'DeleteFlowLogs'
ORDER BY eventTime, eventID

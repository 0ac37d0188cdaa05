-- title: A web firewall taken away
-- answers: Who removed a web ACL from what it protects, deleted it, or stopped its log?
-- severity: medium
-- outcomes: both
-- mitre: TA0005:T1562.001
-- tags: waf, logging
SELECT eventTime, recipientAccountId, awsRegion, eventName,
       coalesce(element_at(requestParameters, 'resourceArn'), element_at(requestParameters, 'name')) AS target,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'wafv2.amazonaws.com'
  AND eventName IN ('DisassociateWebACL', 'DeleteWebACL', 'DeleteLoggingConfiguration')
ORDER BY eventTime, eventID
